//! The old service: a small answer for whoever logs in, 428 for everybody else, so that no proxy is fast by leaving
//! the credential out.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Failure;

/// What everybody is answered who logs in.
pub(crate) const BODY: &str = "042;2026-11-20;posted;EUR;1250.00;savings;end of day;branch 042\n";

#[derive(clap::Args)]
pub(crate) struct Backend {
    #[arg(long)]
    listen: SocketAddr,
    /// The exact value of the Authorization header.
    #[arg(long)]
    authorization: String,
}

impl Backend {
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let listener = TcpListener::bind(self.listen).await?;
        let wanted: &'static str = self.authorization.leak();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(move |request| async move { answer(&request, wanted) });
            tokio::spawn(async move {
                let serving = hyper::server::conn::http1::Builder::new();
                // A proxy may close its connections as it likes.
                drop(serving.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    }
}

fn answer(request: &Request<Incoming>, wanted: &str) -> Result<Response<Full<Bytes>>, http::Error> {
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_some_and(|given| given.as_bytes() == wanted.as_bytes()) {
        let answer = Response::builder().header(header::CONTENT_TYPE, "text/csv");
        return answer.body(Full::new(Bytes::from_static(BODY.as_bytes())));
    }
    Response::builder().status(StatusCode::PRECONDITION_REQUIRED).body(Full::default())
}
