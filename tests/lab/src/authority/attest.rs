//! Who called, as the kernel tells it: user, executable and the executable's digest, read while a pidfd
//! proves that the process read about is still the one that connected.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::sockopt::socket_peercred,
    process::{PidfdFlags, pidfd_open},
};

/// SHA-256 of an executable.
pub(super) type Digest = [u8; 32];

/// The process at the other end of a Unix socket, held by a pidfd so that its pid cannot pass to another.
#[derive(Debug)]
pub(super) struct Peer {
    pidfd: OwnedFd,
    uid: u32,
}

/// What an entry is compared with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Workload {
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) path: PathBuf,
    pub(super) sha256: Digest,
}

/// Why a caller could not be attested.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttestError {
    #[error("the caller has exited")]
    Exited,
    #[error("the caller changed its executable while being read")]
    Changed,
    #[error("the kernel would not tell: {0}")]
    Kernel(#[from] io::Error),
}

impl Peer {
    /// Takes hold of the process that connected `socket`.
    pub(super) fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = socket_peercred(&socket)?;
        let pidfd = match getsockopt(&socket, PeerPidfd) {
            Ok(pidfd) => pidfd,
            // Kernels before 6.5. The pid may have passed on since `connect`; the digest read from it then
            // is the newcomer's, who would have to be a registered program of the same user.
            Err(nix::errno::Errno::ENOPROTOOPT) => pidfd_open(credentials.pid, PidfdFlags::empty())?,
            Err(refused) => return Err(refused.into()),
        };
        Ok(Self { pidfd, uid: credentials.uid.as_raw() })
    }

    /// Reads what the process is now: a program swapped since the connection began gives another digest.
    pub(super) fn attest(&self) -> Result<Workload, AttestError> {
        let pid = self.pid()?;
        let link = PathBuf::from(format!("/proc/{pid}/exe"));
        let path = fs::read_link(&link)?;
        // Opens the running image itself, also when the file at its path has been replaced.
        let sha256 = digest(File::open(&link)?)?;
        let unchanged = fs::read_link(&link)? == path;
        if self.has_exited()? {
            return Err(AttestError::Exited);
        }
        if !unchanged {
            return Err(AttestError::Changed);
        }
        Ok(Workload { pid, uid: self.uid, path, sha256 })
    }

    /// The pid behind the pidfd, in our pid namespace.
    fn pid(&self) -> Result<u32, AttestError> {
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.pidfd.as_raw_fd()))?;
        let pid = about.lines().find_map(|line| line.strip_prefix("Pid:"));
        // -1 once the process is gone, 0 when it lives in a namespace we cannot see.
        pid.and_then(|pid| pid.trim().parse().ok()).filter(|pid| *pid > 0).ok_or(AttestError::Exited)
    }

    /// A pidfd becomes readable when its process ends.
    fn has_exited(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        loop {
            match poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Err(Errno::INTR) => {}
                Err(failed) => return Err(failed.into()),
                Ok(ready) => return Ok(ready > 0),
            }
        }
    }
}

/// The digest of the file at `path`, as an entry holds it.
pub(super) fn digest_of(path: &Path) -> io::Result<Digest> {
    digest(File::open(path)?)
}

fn digest(mut file: File) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 256 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => context.update(piece.get(..read).unwrap_or_default()),
        }
    }
    let mut sha256 = Digest::default();
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::Pid;

    use super::*;

    #[test]
    fn a_process_is_read_while_it_lives_and_not_after() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let peer = Peer { pidfd: pidfd_open(pid, PidfdFlags::empty()).unwrap(), uid: 7 };
        // Until the child has become `sleep` it is still ourselves.
        let sleep = loop {
            let workload = peer.attest().unwrap();
            if workload.path != std::env::current_exe().unwrap() {
                break workload;
            }
        };
        assert_eq!((sleep.pid, sleep.uid), (child.id(), 7));
        assert_eq!(sleep.sha256, digest_of(&sleep.path).unwrap());

        child.kill().unwrap();
        child.wait().unwrap();

        assert!(matches!(peer.attest(), Err(AttestError::Exited)));
    }

    #[test]
    fn the_peer_of_a_socket_is_the_process_that_connected_it() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();

        let workload = Peer::of(&here).unwrap().attest().unwrap();

        assert_eq!(workload.pid, std::process::id());
        assert_eq!(workload.path, std::env::current_exe().unwrap());
    }
}
