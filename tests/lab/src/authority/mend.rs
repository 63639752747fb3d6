//! grpc-core, and so every client in Python, C++, Ruby or PHP, derives HTTP/2's `:authority` from the socket's
//! path (`%2Frun%2Fagent.sock`), which is no authority, and our HTTP/2 resets the stream. Servers in Go do not
//! mind. Here the offending letters are replaced on their way in, one for one, so that no length changes and
//! both ends' header tables stay alike. What cannot be understood passes as it came.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
/// What a frame may hold as long as we do not announce more.
const FRAME_LIMIT: usize = 16 * 1024;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// Index of `:authority` in the static table.
const AUTHORITY: usize = 1;

/// Copies one HTTP/2 connection's inward half until it ends.
pub(super) async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut preface = [0; PREFACE];
    from.read_exact(&mut preface).await?;
    to.write_all(&preface).await?;
    loop {
        let mut head = [0; FRAME_HEAD];
        from.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, ..] = head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > FRAME_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await?;
        if kind == HEADERS {
            // None: not understood, so left alone.
            mend(flags, &mut payload).unwrap_or_default();
        }
        to.write_all(&head).await?;
        to.write_all(&payload).await?;
    }
}

/// Walks the header block (RFC 7541, section 6) without following its table, which needs only lengths.
fn mend(flags: u8, payload: &mut [u8]) -> Option<()> {
    let mut block = payload;
    if flags & PADDED != 0 {
        let padding = usize::from(*block.first()?);
        let end = block.len().checked_sub(padding)?;
        block = block.get_mut(1..end)?;
    }
    if flags & PRIORITY != 0 {
        block = block.get_mut(5..)?;
    }
    while let Some(&first) = block.first() {
        let prefix = match first {
            0x80.. => 7,
            0x40.. => 6,
            0x20.. => 5,
            _ => 4,
        };
        let (index, mut rest) = integer(block, prefix)?;
        if prefix != 7 && prefix != 5 {
            let mut named = index == AUTHORITY;
            if index == 0 {
                let (_, name, after) = string(rest)?;
                named = name == b":authority";
                rest = after;
            }
            let (huffman, value, after) = string(rest)?;
            if named && !huffman {
                value
                    .iter_mut()
                    .filter(|letter| matches!(letter, b'%' | b'/'))
                    .for_each(|letter| *letter = b'-');
            }
            rest = after;
        }
        block = rest;
    }
    Some(())
}

/// An integer with so many bits in its first byte (section 5.1), and what follows it.
fn integer(block: &mut [u8], prefix: u32) -> Option<(usize, &mut [u8])> {
    let (first, mut rest) = block.split_first_mut()?;
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    for shift in [0, 7, 14] {
        let (byte, after) = rest.split_first_mut()?;
        value += usize::from(*byte & 0x7f) << shift;
        rest = after;
        if *byte < 0x80 {
            return Some((value, rest));
        }
    }
    None
}

/// A string (section 5.2): whether it is Huffman-coded, its bytes, and what follows them.
fn string(block: &mut [u8]) -> Option<(bool, &mut [u8], &mut [u8])> {
    let huffman = *block.first()? & 0x80 != 0;
    let (length, rest) = integer(block, 7)?;
    let (value, after) = rest.split_at_mut_checked(length)?;
    Some((huffman, value, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `:method: POST`, `:authority` as given, then an indexed header and a literal one.
    fn block(authority: &str) -> Vec<u8> {
        let mut block = vec![0x83, 0x41, u8::try_from(authority.len()).unwrap()];
        block.extend(authority.bytes());
        block.extend([0x86, 0x40, 3]);
        block.extend(*b"a/b\x03c%d");
        block
    }

    #[test]
    fn a_path_becomes_an_authority_and_nothing_else_changes() {
        let mut payload = block("%2Frun%2Fagent.sock");
        mend(0, &mut payload).unwrap();
        assert_eq!(payload, block("-2Frun-2Fagent.sock"));

        let mut payload = block("localhost:80");
        mend(0, &mut payload).unwrap();
        assert_eq!(payload, block("localhost:80"));
    }

    #[test]
    fn grpc_core_spells_the_name_out() {
        let mut payload = b"@\x0a:authority\x04%2Fx".to_vec();
        mend(0, &mut payload).unwrap();
        assert_eq!(payload, b"@\x0a:authority\x04-2Fx");
    }

    #[test]
    fn padding_and_priority_are_stepped_over() {
        let mut payload = [&[2, 0, 0, 0, 0, 16], block("/x").as_slice(), &[0, 0]].concat();
        mend(PADDED | PRIORITY, &mut payload).unwrap();
        assert_eq!(payload, [&[2, 0, 0, 0, 0, 16], block("-x").as_slice(), &[0, 0]].concat());
    }

    #[test]
    fn a_block_cut_anywhere_is_left_without_a_panic() {
        let whole = block("%2Frun");
        for end in 0..whole.len() {
            mend(PADDED, &mut whole[..end].to_vec());
            mend(0, &mut whole[..end].to_vec());
        }
        assert_eq!(mend(0, &mut [0x41, 0x7f, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
