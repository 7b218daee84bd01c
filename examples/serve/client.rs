//! One connection of a client.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::chain::Chain;

/// A connection to a server. It ends when this is dropped, also in the middle of a request.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, String> {
        let socket = TcpStream::connect(address).await;
        let socket = socket.map_err(|error| format!("cannot connect: {error}"))?;
        socket.set_nodelay(true).map_err(|e| e.to_string())?;
        let shaken = http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = shaken.map_err(|e| e.to_string())?;
        let task = tokio::spawn(async move {
            // What goes wrong is told to the sender, too.
            let _ = connection.await;
        });
        Ok(Self { sender, task })
    }

    /// Asks for a chain, and returns what the server says.
    pub(crate) async fn ask(&mut self, chain: Chain) -> Result<(StatusCode, Bytes), String> {
        let request = Request::get(chain.path()).header(HOST, "localhost");
        let request = request.body(Empty::new()).expect("a valid request");
        let broken = |error: hyper::Error| format!("no answer: {error}");
        self.sender.ready().await.map_err(broken)?;
        let response = self.sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?;
        Ok((status, body.to_bytes()))
    }

    /// Asks for a chain, and leaves if there is no answer after this time. Returns whether it has left.
    pub(crate) async fn ask_and_leave(
        mut self,
        chain: Chain,
        after: Duration,
    ) -> Result<bool, String> {
        match timeout(after, self.ask(chain)).await {
            Ok(answered) => answered.map(|_| false),
            Err(_) => Ok(true),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
