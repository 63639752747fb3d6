use tokio::sync::watch;

use crate::fault::{Code, Fault};

/// Whether a connection may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It may.
    Open,
    /// No new request; what is open may finish: GOAWAY, `Connection: close`.
    Soon,
    /// Everything on it ends now, for this reason.
    Now(&'static Code),
}

/// The end that says when: held by whoever watches SVID, bundle, age and drain.
pub struct Ender(watch::Sender<End>);

/// The end that is told; each thing open on the connection holds one.
#[derive(Clone)]
pub struct Ending(watch::Receiver<End>);

/// A connection's two ends of its end.
#[must_use]
pub fn ending() -> (Ender, Ending) {
    let (tell, told) = watch::channel(End::Open);
    (Ender(tell), Ending(told))
}

impl Ender {
    /// Lets what is open finish. Does nothing to a connection that was already cut.
    pub fn soon(&self) {
        self.0.send_if_modified(|end| {
            let open = *end == End::Open;
            if open {
                *end = End::Soon;
            }
            open
        });
    }

    /// Cuts the connection. The first reason stays.
    pub fn now(&self, code: &'static Code) {
        self.0.send_if_modified(|end| {
            let uncut = !matches!(end, End::Now(_));
            if uncut {
                *end = End::Now(code);
            }
            uncut
        });
    }
}

impl Ending {
    /// How things stand.
    #[must_use]
    pub fn stage(&self) -> End {
        *self.0.borrow()
    }

    /// Resolves once no new request may begin. Never, if the [`Ender`] is dropped before.
    pub async fn soon(&mut self) {
        if self.0.wait_for(|end| *end != End::Open).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when everything must end, with the reason. Never, if the [`Ender`] is dropped before.
    pub async fn now(&mut self) -> Fault {
        let told = self.0.wait_for(|end| matches!(end, End::Now(_))).await.map(|end| *end);
        match told {
            Ok(End::Now(code)) => Fault::of(code),
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::codes;

    #[tokio::test]
    async fn what_was_cut_stays_cut_for_the_first_reason() {
        let (ender, mut ending) = ending();
        ender.now(codes::PEER_EXPIRED_OPEN);
        ender.now(codes::DRAINING);
        ender.soon();

        assert_eq!(ending.now().await.code(), codes::PEER_EXPIRED_OPEN);
        ending.soon().await;
    }
}
