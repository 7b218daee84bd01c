//! A system of our own: a catalogue behind an HTTP server on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tiny_http::{Header, Request, Response};
use ureq::http::Uri;

use crate::catalogue::{Page, Record};

/// Requests that one server answers at a time.
const HANDLERS: usize = 2;

/// A running server; it stops when dropped.
///
/// It plays a machine elsewhere, so it lives on plain threads: none of its work is in the nursery.
pub(crate) struct Server {
    http: Arc<tiny_http::Server>,
    address: SocketAddr,
    handlers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves `records` on a free port, waiting `latency` before every page.
    pub(crate) fn start(records: Vec<Record>, latency: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // Connections inherit it. Without it a page waits some 40 ms: the server holds back the last
        // piece until the client has acknowledged the piece before, which the client delays.
        SockRef::from(&listener).set_tcp_nodelay(true)?;
        let address = listener.local_addr()?;
        let http = tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)?;
        let http = Arc::new(http);
        let records = Arc::new(records);
        let handlers = (0..HANDLERS).map(|_| {
            let (http, records) = (Arc::clone(&http), Arc::clone(&records));
            thread::spawn(move || {
                // An error here is the wake-up call of `drop`.
                while let Ok(request) = http.recv() {
                    thread::sleep(latency);
                    answer(request, &records);
                }
            })
        });
        let handlers = handlers.collect();
        Ok(Self {
            http,
            address,
            handlers,
        })
    }

    /// Where the catalogue is.
    pub(crate) fn url(&self) -> Uri {
        let url = format!("http://{}/catalogue", self.address);
        url.parse().expect("a socket address makes a valid URL")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in &self.handlers {
            self.http.unblock();
        }
        for handler in self.handlers.drain(..) {
            // A handler that panicked has already said so.
            let _ = handler.join();
        }
    }
}

fn answer(request: Request, records: &[Record]) {
    let response = match page(request.url(), records) {
        Some(json) => {
            let json_type = Header::from_bytes("Content-Type", "application/json")
                .expect("a constant header is valid");
            Response::from_data(json).with_header(json_type)
        }
        None => Response::from_string("expected ?page=N&size=M, both at least 1\n")
            .with_status_code(400),
    };
    // The client may have gone away, and that is its business.
    let _ = request.respond(response);
}

/// The page that `url` asks for, as JSON; `None` if it asks for none.
fn page(url: &str, records: &[Record]) -> Option<Vec<u8>> {
    let (_, query) = url.split_once('?')?;
    let number = |name| -> Option<usize> {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        value.parse().ok().filter(|number| *number > 0)
    };
    let (page, size) = (number("page")?, number("size")?);
    let start = (page - 1).saturating_mul(size).min(records.len());
    let end = start.saturating_add(size).min(records.len());
    let page = Page {
        items: &records[start..end],
        more: end < records.len(),
    };
    serde_json::to_vec(&page).ok()
}
