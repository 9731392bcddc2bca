//! The fields of a head, in the order and the spelling in which they came.
//!
//! A head is kept as the bytes that it was, with a list of where its lines are: to look for a field is to run
//! down a short list, to take one out is to take a line out of it, and to send a head on is to copy what is
//! left. A hash map of owned names and values took half of all the instructions of a request.

use bytes::Bytes;
use http::HeaderMap;

/// The fields of one head.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// What the peer sent.
    head: Bytes,
    /// What was added here: whole lines.
    added: Vec<u8>,
    list: FieldLines,
}

/// Where the field lines of a head are.
#[derive(Debug, Clone, Default)]
pub struct FieldLines {
    lines: Vec<Line>,
    /// A bit for each [`Field`] that is or was among the lines.
    seen: u32,
}

/// A field line, with its CRLF: `name ":" OWS value OWS CRLF`.
#[derive(Debug, Clone, Copy)]
struct Line {
    field: Field,
    /// It stands in `added`, not in `head`.
    added: bool,
    name_length: u16,
    start: u32,
    end: u32,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// The fields that a proxy has to know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $field,)*
            /// Any other.
            Other,
        }

        impl Field {
            /// The field of this name, in any spelling.
            #[must_use]
            pub fn of(name: &[u8]) -> Self {
                const LENGTHS: u32 = 0 $(| 1 << $name.len())*;
                if name.len() >= 32 || LENGTHS >> name.len() & 1 == 0 {
                    return Self::Other;
                }
                $(
                    if name.len() == $name.len()
                        && name[0] | 0x20 == $name.as_bytes()[0]
                        && name.eq_ignore_ascii_case($name.as_bytes())
                    {
                        return Self::$field;
                    }
                )*
                Self::Other
            }

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                    Self::Other => "",
                }
            }
        }
    };
}

fields! {
    Connection = "connection",
    ContentLength = "content-length",
    ContentType = "content-type",
    Date = "date",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    Http2Settings = "http2-settings",
    KeepAlive = "keep-alive",
    Location = "location",
    ProxyConnection = "proxy-connection",
    Referer = "referer",
    StrictTransportSecurity = "strict-transport-security",
    Te = "te",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedProto = "x-forwarded-proto",
}

/// What `Connection` says (RFC 9110 section 7.6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connection {
    /// The sender keeps the connection, of an HTTP/1.0 message.
    pub keep_alive: bool,
    /// The sender closes the connection.
    pub close: bool,
    /// `Upgrade` is for this hop.
    pub upgrade: bool,
    /// It names fields that are for this hop.
    pub names_fields: bool,
}

impl Field {
    /// Whether a field of this name may stand in trailers; see [`Fields::trailers`].
    pub(crate) fn may_trail(name: &[u8]) -> bool {
        Self::of(name) == Self::Other
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// For how many lines there is room without growing.
const LINES: usize = 16;
/// For how many bytes of own lines there is room without growing.
const ADDED_BYTES: usize = 256;

impl FieldLines {
    /// Notes a line of a head that begins at `at` and has `length` bytes without its CRLF. Heads are much
    /// shorter than 4 GiB, and names than 64 KiB: [`framing`](crate::framing) sees to that.
    #[inline]
    pub(crate) fn push(&mut self, field: Field, at: usize, name_length: usize, length: usize) {
        if self.lines.capacity() == 0 {
            self.lines.reserve_exact(LINES);
        }
        self.seen |= field.bit();
        self.lines.push(Line {
            field,
            added: false,
            name_length: name_length as u16,
            start: at as u32,
            end: (at + length + 2) as u32,
        });
    }
}

impl Fields {
    /// The fields of `head`, whose lines are known.
    pub(crate) fn of(head: Bytes, list: FieldLines) -> Self {
        Self { head, added: Vec::new(), list }
    }

    /// The field lines of `section`, which was judged by [`framing`](crate::framing), up to its empty line.
    /// `None` if it was not.
    pub(crate) fn parse(section: Bytes) -> Option<Self> {
        let mut list = FieldLines::default();
        let mut at = 0;
        loop {
            let rest = section.get(at..)?;
            let end = memchr::memchr(b'\n', rest)?;
            let line = rest[..end].strip_suffix(b"\r")?;
            if line.is_empty() {
                return Some(Self::of(section, list));
            }
            let colon = memchr::memchr(b':', line)?;
            list.push(Field::of(&line[..colon]), at, colon, line.len());
            at += end + 1;
        }
    }

    /// Whether there is such a field.
    #[inline]
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.list.seen & field.bit() != 0 && self.list.lines.iter().any(|line| line.field == field)
    }

    /// The value of the first such field.
    #[inline]
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&[u8]> {
        self.get_all(field).next()
    }

    /// The values of all such fields, one a line.
    #[inline]
    pub fn get_all(&self, field: Field) -> impl DoubleEndedIterator<Item = &[u8]> {
        let lines = if self.list.seen & field.bit() == 0 { &[][..] } else { &self.list.lines };
        lines.iter().filter(move |line| line.field == field).map(|line| self.value(line))
    }

    /// The elements of all such fields, which are lists.
    #[inline]
    pub fn elements(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.get_all(field).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    /// What `Connection` says.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let mut connection = Connection::default();
        // The one value that most messages have, first of all.
        if self.get(Field::Connection).is_none_or(|value| value == b"keep-alive") {
            let mut all = self.get_all(Field::Connection);
            connection.keep_alive = all.next().is_some();
            if all.next().is_none() {
                return connection;
            }
        }
        for option in self.elements(Field::Connection) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                connection.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                connection.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                connection.upgrade = true;
            } else {
                connection.names_fields = true;
            }
        }
        connection
    }

    /// The values of all fields of this name, in any spelling.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.list.lines.iter().filter(move |line| {
            usize::from(line.name_length) == name.len()
                && self.name(line).eq_ignore_ascii_case(name.as_bytes())
        });
        lines.map(|line| self.value(line))
    }

    /// All names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.list.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// Takes all of these fields out.
    pub fn remove(&mut self, fields: &[Field]) {
        let mask = fields.iter().fold(0, |mask, field| mask | field.bit());
        if self.list.seen & mask != 0 {
            self.list.lines.retain(|line| line.field.bit() & mask == 0);
            self.list.seen &= !mask;
        }
    }

    /// Takes all fields of this name out, in any spelling.
    pub fn remove_named(&mut self, name: &[u8]) {
        let Self { head, added, list } = self;
        list.lines
            .retain(|line| !line.name_in(if line.added { added } else { head }).eq_ignore_ascii_case(name));
    }

    /// Adds a field after the others. A value that can't stand in a head, because it would end its line, is
    /// left out.
    pub fn append(&mut self, field: Field, value: &[u8]) {
        self.append_line(field, field.name(), value);
    }

    /// The same for any field. `name` must be a token.
    pub fn append_named(&mut self, name: &str, value: &[u8]) {
        self.append_line(Field::of(name.as_bytes()), name, value);
    }

    /// Adds `field` after the others, with the value that `other` has, if there is one.
    pub fn append_copy(&mut self, field: Field, other: Field) {
        let Some(line) = self.list.lines.iter().find(|line| line.field == other).copied() else { return };
        if line.added {
            let value = line.value_in(&self.added).to_vec();
            self.append(field, &value);
        } else {
            let head = self.head.clone();
            self.append(field, line.value_in(&head));
        }
    }

    fn append_line(&mut self, field: Field, name: &str, value: &[u8]) {
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
            return;
        }
        if self.added.capacity() == 0 {
            self.added.reserve_exact(ADDED_BYTES);
        }
        let start = self.added.len();
        self.added.extend_from_slice(name.as_bytes());
        self.added.extend_from_slice(b": ");
        self.added.extend_from_slice(value);
        self.added.extend_from_slice(b"\r\n");
        self.list.seen |= field.bit();
        self.list.lines.push(Line {
            field,
            added: true,
            name_length: name.len() as u16,
            start: start as u32,
            end: self.added.len() as u32,
        });
    }

    /// Has one such field, with this value.
    pub fn set(&mut self, field: Field, value: &[u8]) {
        self.remove(&[field]);
        self.append(field, value);
    }

    /// What may go on of a trailer section. Fields that a proxy has to know stay behind: they say who asked, of
    /// whom, or what is for this hop, and a server that merges trailers into the head would believe them
    /// (RFC 9110 section 6.5.1).
    pub(crate) fn trailers(mut trailers: HeaderMap) -> HeaderMap {
        let held: Vec<_> =
            trailers.keys().filter(|name| !Field::may_trail(name.as_str().as_bytes())).cloned().collect();
        held.iter().for_each(|name| drop(trailers.remove(name)));
        trailers
    }

    /// Appends the lines to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for line in &self.list.lines {
            out.extend_from_slice(&self.bytes(line)[line.start as usize..line.end as usize]);
        }
    }

    fn bytes(&self, line: &Line) -> &[u8] {
        if line.added { &self.added } else { &self.head }
    }

    fn name(&self, line: &Line) -> &[u8] {
        line.name_in(self.bytes(line))
    }

    fn value(&self, line: &Line) -> &[u8] {
        line.value_in(self.bytes(line))
    }
}

impl Line {
    fn name_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..][..usize::from(self.name_length)]
    }

    /// No control byte but HTAB is in a judged value, so this trims what RFC 9110 section 5.5 says.
    fn value_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let colon = self.start as usize + usize::from(self.name_length);
        bytes[colon + 1..self.end as usize - 2].trim_ascii()
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let mut fields = Self::default();
        fields.added.reserve_exact(
            map.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum::<usize>() + ADDED_BYTES,
        );
        map.iter().for_each(|(name, value)| fields.append_named(name.as_str(), value.as_bytes()));
        fields
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut all = Self::default();
        fields.into_iter().for_each(|(name, value)| all.append_named(name, value.as_bytes()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &[u8] = b"HOST:  x \r\nX-A: 1\r\nConnection: a, b\r\nx-a:\t2\t\r\nEmpty:\r\n\r\n";

    fn fields() -> Fields {
        Fields::parse(Bytes::from_static(SECTION)).unwrap()
    }

    fn text(fields: &Fields) -> String {
        let mut out = Vec::new();
        fields.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_found_in_any_spelling() {
        let fields = fields();
        assert_eq!(fields.get(Field::Host), Some(&b"x"[..]));
        assert_eq!(fields.named("x-A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(fields.named("empty").collect::<Vec<_>>(), [b""]);
        assert_eq!(fields.elements(Field::Connection).collect::<Vec<_>>(), [b"a", b"b"]);
        assert!(!fields.has(Field::Te));
    }

    #[test]
    fn what_is_left_goes_on_as_it_came() {
        let mut fields = fields();
        fields.remove(&[Field::Connection, Field::Te]);
        fields.remove_named(b"X-a");
        fields.append(Field::Via, b"1.1 weir");
        assert_eq!(text(&fields), "HOST:  x \r\nEmpty:\r\nvia: 1.1 weir\r\n");
        fields.set(Field::Host, b"y");
        assert_eq!(text(&fields), "Empty:\r\nvia: 1.1 weir\r\nhost: y\r\n");
        assert_eq!(fields.get(Field::Host), Some(&b"y"[..]));
        assert!(!fields.has(Field::Connection));
    }

    #[test]
    fn a_value_never_ends_its_line() {
        let fields: Fields = [("a", "1\r\nb: 2"), ("c", "3")].into_iter().collect();
        assert_eq!(text(&fields), "c: 3\r\n");
    }
}
