//! Servers that answer what a test wants, and no more.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// Serves one of `answers` to each connection in turn, then hangs up on everybody; returns the URL.
pub(crate) fn serve(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming().flatten() {
            read_request(&stream);
            // A client that has gone away is for the test to notice.
            let _ = (&stream).write_all(&answers.next().unwrap_or_default());
        }
    });
    format!("http://{address}/")
}

/// Reads up to the empty line; leaving anything unread would reset the connection.
pub(crate) fn read_request(stream: &TcpStream) {
    let lines = BufReader::new(stream).lines();
    for _ in lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
    {}
}

pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

pub(crate) fn page(items: &[Value], more: bool) -> Vec<u8> {
    answer("200 OK", &json!({"items": items, "more": more}).to_string())
}

/// A page with the one record `id`.
pub(crate) fn filled(id: u64, more: bool) -> Vec<u8> {
    page(&[json!({"id": id})], more)
}
