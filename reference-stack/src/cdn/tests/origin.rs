//! An origin that answers what a point's script says, and remembers what it was asked.
//!
//! Why by hand: it must break off, leave out `Date` and send headers that no library would.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::script::{Answer, Headers};

/// Of an answer that takes its time.
const SLOW: Duration = Duration::from_millis(300);

#[derive(Clone, Default)]
pub struct Origin(Arc<Mutex<HashMap<String, Resource>>>);

#[derive(Default)]
struct Resource {
    answers: Vec<Answer>,
    asked: Vec<Headers>,
}

impl Origin {
    /// Listens from now on, until the runtime ends.
    pub async fn start() -> (Self, SocketAddr) {
        let origin = Self::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = origin.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let origin = serving.clone();
                tokio::spawn(async move { origin.answer(stream).await });
            }
        });
        (origin, address)
    }

    pub fn script(&self, path: &str, answer: Answer) {
        self.0.lock().unwrap().entry(path.to_owned()).or_default().answers.push(answer);
    }

    /// The headers of each request for a path so far.
    pub fn asked(&self, path: &str) -> Vec<Headers> {
        self.0.lock().unwrap().get(path).map(|resource| resource.asked.clone()).unwrap_or_default()
    }

    /// One request on one connection.
    async fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let mut request = lines.next().unwrap().split(' ');
        let (method, path) = (request.next().unwrap(), request.next().unwrap());
        let headers: Headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let answer = {
            let mut all = self.0.lock().unwrap();
            let resource = all.entry(path.to_owned()).or_default();
            resource.asked.push(headers);
            let last = resource.answers.len().saturating_sub(1);
            resource.answers.get((resource.asked.len() - 1).min(last)).cloned()
        };
        let Some(Answer::Response { status, body, headers, torn, slow }) = answer else { return };
        if slow {
            tokio::time::sleep(SLOW).await;
        }
        // As every tier says who has answered.
        let mut text = format!("HTTP/1.1 {status} As scripted\r\nx-served-by: origin\r\n");
        for (name, value) in &headers {
            text += &format!("{name}: {}\r\n", value.replace("%path", path));
        }
        if !headers.iter().any(|(name, _)| name == "connection") {
            text += "connection: close\r\n";
        }
        if status != 304 {
            text += &format!("content-length: {}\r\n", body.len());
        }
        text += "\r\n";
        if method != "HEAD" && status != 304 {
            text += &body[..if torn { body.len() / 2 } else { body.len() }];
        }
        // Whoever has gone away will not mind.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}
