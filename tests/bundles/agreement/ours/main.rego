package ours

below if path.matches("/a/**", input.request.path)
