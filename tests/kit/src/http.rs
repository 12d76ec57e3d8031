//! The little of HTTP/1.1 that JSON-RPC on the loopback needs: read a message, answer one, post a body.

use anyhow::{Context as _, Result, bail};
use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
};

/// One request or response, its body whole.
pub(crate) struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one message; `None` when the other side closed before the first byte of it.
pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(from)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message { start, headers, body: Vec::new() };
    if message.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        while read_chunk(from, &mut message.body)? {}
    } else if let Some(length) = message.header("content-length") {
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        message.body = vec![0; length];
        from.read_exact(&mut message.body)?;
    }
    Ok(Some(message))
}

/// Appends one chunk to `body`; false after the last.
fn read_chunk(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let size = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let size = size.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    if from.take(size).read_to_end(body)? as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // The empty line after a chunk; after the last one, trailers until an empty line.
    while !read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {}
    Ok(size > 0)
}

fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

/// Writes a whole response; each of the header lines is ended by CR LF.
pub(crate) fn respond(mut to: &TcpStream, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    to.write_all(&[head(status, headers, body.len()).as_bytes(), body].concat())
}

/// What stands before a body of so many bytes.
pub(crate) fn head(status: u16, headers: &str, length: usize) -> String {
    format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n")
}

/// A kept-alive connection to one `http://` endpoint, opened when first used.
pub(crate) struct Connection {
    authority: String,
    path: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// Fails for a URL that is not plain `http://host:port…`.
    pub fn new(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else { bail!("not an http:// endpoint") };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { authority: authority.to_owned(), path: format!("/{path}"), stream: None })
    }

    /// Posts a JSON body and reads the answer. A connection that went stale since the last call is opened again, once.
    pub fn post(&mut self, body: &[u8]) -> Result<Message> {
        let reused = self.stream.is_some();
        match self.try_post(body) {
            Err(_) if reused => self.try_post(body),
            answer => answer,
        }
    }

    fn try_post(&mut self, body: &[u8]) -> Result<Message> {
        let mut stream = if let Some(open) = self.stream.take() {
            open
        } else {
            let open = TcpStream::connect(&self.authority).context("cannot connect")?;
            open.set_nodelay(true)?;
            BufReader::new(open)
        };
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.path,
            self.authority,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.get_mut().write_all(&request)?;
        let answer = read(&mut stream)?.context("closed without an answer")?;
        self.stream = Some(stream);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_length_a_chunked_body_and_an_end() -> Result<()> {
        let mut plain: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST";
        let message = read(&mut plain)?.context("a message")?;
        assert_eq!((message.body.as_slice(), plain), (&b"abc"[..], &b"POST"[..]));

        let mut chunked: &[u8] =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        let message = read(&mut chunked)?.context("a message")?;
        assert_eq!(message.body, b"abc0123456789");
        assert!(read(&mut chunked)?.is_none());

        let mut cut: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
        assert!(read(&mut cut).is_err());
        Ok(())
    }
}
