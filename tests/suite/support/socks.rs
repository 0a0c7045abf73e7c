//! A small SOCKS 5 proxy that records the addresses of its clients' requests.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// User name and password that the proxy accepts.
pub(crate) const SOCKS_LOGIN: &str = "me:5ecretpa55";

/// A SOCKS 5 proxy, which connects each name to a local service.
pub(crate) struct SocksProxy {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    requested: Arc<Mutex<Vec<String>>>,
}

impl SocksProxy {
    /// Starts a proxy that connects each address of `targets` to a service, and refuses other addresses.
    pub(crate) fn to(targets: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requested = Arc::<Mutex<Vec<String>>>::default();
        let strip = |url: &str| url.split_once("://").map_or(url, |(_, host)| host).to_owned();
        let targets: Vec<_> = targets.iter().map(|(name, url)| ((*name).to_owned(), strip(url))).collect();
        let (targets, recorded) = (Arc::new(targets), requested.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (targets, recorded) = (targets.clone(), recorded.clone());
                std::thread::spawn(move || drop(serve(client, &targets, &recorded)));
            }
        });
        Self { address, requested }
    }

    /// Returns the addresses that clients have requested so far.
    pub(crate) fn requested(&self) -> Vec<String> {
        self.requested.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, targets: &[(String, String)], requested: &Mutex<Vec<String>>) -> io::Result<()> {
    let [_, methods] = bytes(&mut client)?;
    let mut offered = vec![0; methods.into()];
    client.read_exact(&mut offered)?;
    if offered.contains(&2) {
        client.write_all(&[5, 2])?;
        let [_, length] = bytes(&mut client)?;
        let user = text(&mut client, length)?;
        let [length] = bytes(&mut client)?;
        let accepted = format!("{user}:{}", text(&mut client, length)?) == SOCKS_LOGIN;
        client.write_all(&[1, u8::from(!accepted)])?;
        if !accepted {
            return Ok(());
        }
    } else {
        client.write_all(&[5, 0])?;
    }
    let [_, _, _, kind] = bytes(&mut client)?;
    let host = match kind {
        1 => Ipv4Addr::from(bytes::<4>(&mut client)?).to_string(),
        3 => {
            let [length] = bytes(&mut client)?;
            text(&mut client, length)?
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let address = format!("{host}:{}", u16::from_be_bytes(bytes(&mut client)?));
    requested.lock().unwrap().push(address.clone());
    let target = targets.iter().find(|(name, _)| *name == address);
    let server = target.and_then(|(_, target)| TcpStream::connect(target).ok());
    // 5 is "connection refused".
    client.write_all(&[5, if server.is_some() { 0 } else { 5 }, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if let Some(server) = server {
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || copy(from, to));
        copy(server, client);
    }
    Ok(())
}

fn bytes<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(client: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut text = vec![0; length.into()];
    client.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

pub(super) fn copy(mut from: TcpStream, mut to: TcpStream) {
    // The peer may have closed its side already.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
