use std::rc::Rc;
use std::time::Duration;

use super::Site;
use crate::clock::BootTime;
use crate::fault::Code;
use crate::gate::Passage;
use crate::model::{ListenerName, RecordId};
use crate::record::{Entry, SessionEnded, SessionOpened};

/// What lives longer is a session.
pub(super) const AFTER: Duration = Duration::from_secs(1);

/// Something that lives longer than a second: the records say when it began and, whatever becomes of it, when it ended.
pub(super) struct Session {
    site: Rc<Site>,
    request: RecordId,
    begun: BootTime,
    code: Option<&'static str>,
}

impl Session {
    /// Says that it began. `kind` is `websocket`, `stream` or `tcp`.
    pub(super) fn begin(
        site: &Rc<Site>,
        listener: &ListenerName,
        passage: &Passage,
        kind: &'static str,
    ) -> Option<Self> {
        let request = passage.recorder.id()?;
        let now = site.clock.now();
        site.records.write_now(Entry::SessionOpened(SessionOpened {
            at: now.wall,
            request,
            listener: listener.clone(),
            session: kind,
            caller: Some(passage.peer().id().clone()),
            access: passage.access().map(|access| access.id),
        }));
        Some(Self { site: Rc::clone(site), request, begun: now.boot, code: None })
    }

    /// Says that it ended, and what cut it if something did.
    pub(super) fn end(mut self, code: Option<&'static Code>) {
        self.code = code.map(|code| code.id);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let now = self.site.clock.now();
        let ms = u64::try_from(now.boot.since(self.begun).as_millis()).unwrap_or(u64::MAX);
        let ended = SessionEnded { at: now.wall, request: self.request, code: self.code, ms };
        self.site.records.write_now(Entry::SessionEnded(ended));
    }
}
