//! Where a message begins and ends, and whether there is one way to read it; anything else is refused. Pure: no
//! I/O, no clock, no allocation.
//!
//! A proxy and the server behind it that disagree about where a request ends is request smuggling (RFC 9112
//! section 11.2). A library for one end of a connection may read leniently; a proxy may not. The bytes are judged
//! here before anything is made of them ([`http1`](crate) parses only what passed). This module does not rewrite,
//! normalize or route; nor does it look at `Connection`, `Upgrade` and `Expect`.
//!
//! # What a lenient reader accepts (hyper 1.12 with httparse 1.10), and what happens here
//!
//! The servers behind a proxy are such readers, each in its own way. The tests hold both columns to what hyper
//! really does.
//!
//! | hyper accepts | here | RFC 9112 section |
//! |---|---|---|
//! | a bare LF as the end of any line of a head, and inside trailers | refused | 2.2 |
//! | any number of empty lines (CRLF or LF) before a head | one CRLF before a request, none before a response | 2.2 |
//! | a method of any length | 64 bytes, else 501 | 3 |
//! | a fragment in the target (dropped), user information, raw UTF-8, `"` | refused | 3.2, RFC 9110 4.2.4 |
//! | any form of target for any method: `GET host:1`, `CONNECT /`, `GET *`, `GET ftp://a/` | refused | 3.2 |
//! | `http://host?query` with no path (RFC-valid) | refused: its path-and-query is no target when sent on | 3.2.2 |
//! | no Host, several, an invalid one, another one than the target's authority | refused; an empty one passes | 3.2, 3.2.2 |
//! | request: Transfer-Encoding and Content-Length (drops the length, closes afterwards) | refused | 6.1, 6.3 |
//! | response: the same, keeping both fields and the connection | refused | 6.3 |
//! | a Content-Length that is not a number, after a Transfer-Encoding | refused | 6.3 |
//! | the same Content-Length repeated; in a response also as a list (`5, 5`) | refused, though 6.3 allows to repair it | 6.3 |
//! | any codings before a final `chunked`; several Transfer-Encoding fields, the last one counting | refused | 6.1 |
//! | response: codings that do not end in `chunked` (reads until close) | refused | 6.3 |
//! | a CONNECT request with a body | refused | RFC 9110 9.3.6 |
//! | white space after a chunk size | refused | 7.1.1, erratum 7633 |
//! | chunk extensions of any bytes but CR and LF, NUL too; 16 KiB a message | printable, a name first, 4 KiB | 7.1.1 |
//! | any number of leading zeros in a chunk size | 16 digits | 7.1 |
//! | Content-Length, Transfer-Encoding, Host in the trailers | refused | RFC 9110 6.5.1 |
//! | any number of 1xx responses; a 101 that was not asked for; status 600 to 999 | 16; refused; refused | RFC 9110 15.2 |
//! | bytes on an idle upstream connection, until it is used next (a race) | refused | 6.3 |
//!
//! hyper itself refuses, and so do we: an obs-fold, white space before a colon, a name that is not a token, a
//! control byte or a bare CR in a value, differing lengths, a signed or empty length, Transfer-Encoding in
//! HTTP/1.0, other versions, two spaces in a request line, a bare LF after a chunk size or its data.
//!
//! Leading zeros in a Content-Length pass: the grammar has them, and old servers pad.
//!
//! # Use
//!
//! Keep the bytes read from the socket until they are passed, and give room for at least `head_bytes` of them.
//! Offer all that are kept to `advance`. It takes one step: it says how many of them, from the front, are judged
//! now, and what they are ([`Part`]). Take those away, and act on [`Progress`]. Call again at once while bytes are
//! left and some passed; else when more arrived, or, after [`Progress::MessageComplete`], when the next message
//! may start. A head passes whole or not at all.
//!
//! ```
//! use weir_proxy::framing::{HeadLimits, Progress, RequestFraming};
//!
//! let limits = HeadLimits { head_bytes: 16 * 1024, fields: 100, uri_bytes: 8 * 1024 };
//! let mut guard = RequestFraming::new(limits, 1 << 20);
//! let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next";
//! let first = guard.advance(bytes).unwrap();
//! assert_eq!((first.pass, first.progress), (27, Progress::MessageComplete));
//! let second = guard.advance(&bytes[first.pass..]).unwrap();
//! assert_eq!((second.pass, second.progress), (0, Progress::Head));
//! ```

mod body;
mod bytes;
mod chunked;
mod fields;
mod host;
mod lines;
mod request;
mod request_line;
mod response;
mod status_line;
mod target;
mod violation;

#[cfg(test)]
mod tests;

pub use request::RequestFraming;
pub use response::ResponseFraming;
pub use violation::Violation;

/// `http::HeaderMap` panics past 24,576 entries.
const FIELDS_MAX: usize = 4096;

/// How large the head of a message may be. A trailer section has the same limits, apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the first of the start line to the last of the empty line, with all line ends.
    pub head_bytes: usize,
    /// Field lines; 4096 at most, whatever is asked for.
    pub fields: usize,
    /// Bytes of a request target; 65,534 at most. Responses have none.
    pub uri_bytes: usize,
}

impl HeadLimits {
    fn capped(self) -> Self {
        Self { fields: self.fields.min(FIELDS_MAX), ..self }
    }
}

/// What became of the bytes that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the first `pass` bytes are judged, the others must be offered again"]
pub struct Advance {
    /// How many of them, from the front, are judged and done with.
    pub pass: usize,
    /// What those are.
    pub part: Part,
    /// Where the stream stands after those.
    pub progress: Progress,
}

/// What a run of bytes is that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing of use: no byte, or only what frames a chunk.
    Nothing,
    /// A whole head, from byte `at` of the run to its end.
    Head {
        /// Bytes before it: an empty line, or none.
        at: usize,
    },
    /// A piece of a body's data, from byte `at` of the run to its end.
    Data {
        /// Bytes before it, which framed it.
        at: usize,
    },
    /// A whole trailer section, from byte `at` of the run to its end, with the empty line that ends it.
    Trailers {
        /// Bytes before it, which framed it.
        at: usize,
    },
    /// Bytes of another protocol.
    Tunnel,
}

/// Where a stream of messages stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Before or inside a head: read more. A response's interim heads pass with this, too.
    Head,
    /// Inside a body: read more. Bytes that did not pass are an unfinished trailer section.
    Body,
    /// The message ended with the last byte that passed. A request that follows may be offered at once, or
    /// when the answer is out; bytes that follow a response make its connection unfit for reuse.
    MessageComplete,
    /// HTTP is over: everything passes.
    Tunnel,
}
