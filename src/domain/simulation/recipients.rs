//! The scripts of recipients, and the tasks that servers run by themselves.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;

use super::clients::{Clients, NoResponse, content};
use super::judge::Subject;
use super::scripts::{TRIES, completion};
use crate::domain::audit::ActionName;
use crate::domain::crypto::proof::Grant;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::wire::ClientEventKind;

impl Clients {
    /// Downloads a payload under a grant, which the client keeps for further downloads.
    pub(super) async fn download(self: Rc<Self>, id: TransferId) {
        let known: Vec<_> = self.grants.borrow().iter().filter(|(of, _)| *of == id).cloned().collect();
        let known = if self.below(3) == 0 { self.one_of(&known) } else { None };
        let is_known = known.is_some();
        let grant = known.map_or_else(|| Grant::random().to_text().to_string(), |(_, grant)| grant);
        let parse = |text: &str| text.parse::<Grant>().expect("the text of a grant");
        let subject = Subject { transfer: Some(id), grant: Some(parse(&grant).digest()), ..Subject::default() };
        let mut granted = is_known && self.below(2) == 0;
        for _ in 0..TRIES {
            if granted {
                break;
            }
            let (world, grant) = (self.world.clone(), parse(&grant));
            let (presented, proof) = self.choose_proof(id);
            let subject = Subject { proof: presented, ..subject };
            let created = self.call(ActionName::DownloadGrant, subject, async move |server, scope, subject| {
                let link = server.transfers.find_link(scope, id.into()).await?;
                let digest = grant.digest();
                server.transfers.create_download(scope, &link, proof.as_ref(), Some(grant)).await?;
                let mut state = world.state();
                state.check_authorised(subject);
                state.check_allowed(subject, true, server.number);
                state.check_granted(&world.memory, id, &digest);
                Ok(())
            });
            match created.await {
                Ok(()) => granted = true,
                Err(failure) if failure.is_temporary() => {}
                // The client tries again with another proof.
                Err(NoResponse::Rejected(Error::AccessRequired | Error::AccessInvalid)) => {}
                Err(_) => return,
            }
        }
        if !granted {
            return;
        }
        if !is_known {
            self.grants.borrow_mut().push((id, grant.clone()));
        }
        self.read(id, subject, Some(parse(&grant))).await;
    }

    /// Downloads the payload through the service; without a grant, this counts a download.
    pub(super) async fn read(&self, id: TransferId, subject: Subject, grant: Option<Grant>) {
        let world = self.world.clone();
        let (presented, proof) = self.choose_proof(id);
        let subject = Subject { proof: presented, ..subject };
        let read = self.call(ActionName::PayloadDownload, subject, async move |server, scope, subject| {
            let link = server.transfers.find_link(scope, id.into()).await?;
            let range = Some(0..link.transfer.size_bytes);
            let download = server.transfers.download(scope, &link, proof.as_ref(), grant.as_ref(), range).await?;
            world.state().check_authorised(subject);
            world.state().check_allowed(subject, true, server.number);
            let download = download.expect("a range was requested");
            let chunks: Vec<_> = download.payload.collect().await;
            // A payload removed meanwhile ends the stream with an error.
            if let Ok(chunks) = chunks.into_iter().collect::<Result<Vec<_>, _>>() {
                let is_right = chunks.concat() == content(id, link.transfer.size_bytes);
                world.state().check(is_right, || format!("{id} is served with other content"));
            }
            if let Some(new) = download.new_grant {
                world.state().check_granted(&world.memory, id, &new.digest());
            }
            Ok(())
        });
        drop(read.await);
    }

    /// Reads the keys for recipients, which never change and end with the transfer.
    pub(super) async fn read_keys(self: Rc<Self>, id: TransferId) {
        let world = self.world.clone();
        let subject = Subject { transfer: Some(id), ..Subject::default() };
        let read = self.call(ActionName::KeysRead, subject, async move |server, scope, subject| {
            let link = server.transfers.find_link(scope, id.into()).await?;
            let keys = match server.transfers.wrapped_keys(&link) {
                Ok(keys) => Some(keys),
                Err(Error::NoKeys) => None,
                Err(error) => return Err(error),
            };
            let mut state = world.state();
            state.check(keys == completion(id).keys, || format!("{id} is served with other keys"));
            state.check(subject.transfer == Some(id), || format!("{id} is read as another transfer"));
            Ok(())
        });
        drop(read.await);
    }

    /// Reports an event.
    pub(super) async fn add_event(self: Rc<Self>, id: TransferId) {
        let (proof, presented) = self.choose_proof(id);
        let subject = Subject { transfer: Some(id), proof, ..Subject::default() };
        let world = self.world.clone();
        let added = self.call(ActionName::EventAdd, subject, async move |server, scope, subject| {
            let link = server.transfers.find_link(scope, id.into()).await?;
            let kind = ClientEventKind::LinkOpened;
            let added = server.transfers.add_event(scope, &link, kind, presented.as_ref(), None).await?;
            world.state().check_authorised(subject);
            Ok(added)
        });
        drop(added.await);
    }

    /// Runs a task that servers run by themselves from time to time: sweep, or write buffered counts.
    pub(super) fn maintain(&self) {
        let server = self.one_of(&self.servers.borrow()).expect("a server");
        let (number, world) = (server.number, self.world.clone());
        let sweeps = self.below(3) > 0;
        let task = Box::pin(async move {
            world.note(|| format!("server {number}: {}", if sweeps { "sweep" } else { "flush counts" }));
            if sweeps {
                drop(server.transfers.sweep().await);
            } else {
                server.transfers.flush_counts().await;
            }
            tokio::time::sleep(Duration::ZERO).await;
        });
        self.spawner.borrow_mut().push((Some(number), task));
    }
}
