//! The fields of a head, in the order and the spelling in which they came.
//!
//! A head is kept as the bytes that it was, with a list of where its lines are: to look for a field is to run
//! down a short list, to take one out is to take a line out of it, and to send a head on is to copy what is
//! left. A hash map of owned names and values took half of all the instructions of a request.

use bytes::Bytes;

/// The fields of one head.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// What the peer sent.
    head: Bytes,
    /// What was added here: whole lines.
    added: Vec<u8>,
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
    value: u32,
    value_end: u32,
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
                $(
                    if name.len() == $name.len() && name.eq_ignore_ascii_case($name.as_bytes()) {
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
    Te = "te",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedProto = "x-forwarded-proto",
}

impl Field {
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// For how many lines there is room without growing.
const LINES: usize = 16;

impl Fields {
    /// The field lines of `head`, which was judged by [`framing`](crate::framing), from byte `start` to its
    /// empty line. `None` if it was not, or is longer than 4 GiB.
    #[must_use]
    pub fn parse(head: Bytes, start: usize) -> Option<Self> {
        let mut lines = Vec::with_capacity(LINES);
        let mut seen = 0;
        let mut at = start;
        loop {
            let rest = head.get(at..)?;
            let end = memchr::memchr(b'\n', rest)?;
            let line = rest[..end].strip_suffix(b"\r")?;
            if line.is_empty() {
                return Some(Self { head, added: Vec::new(), lines, seen });
            }
            let line = Line::of(line, u32::try_from(at).ok()?, false)?;
            seen |= line.field.bit();
            lines.push(line);
            at += end + 1;
        }
    }

    /// Whether there is such a field.
    #[inline]
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.seen & field.bit() != 0 && self.lines.iter().any(|line| line.field == field)
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
        let lines = if self.seen & field.bit() == 0 { &[][..] } else { &self.lines };
        lines.iter().filter(move |line| line.field == field).map(|line| self.value(line))
    }

    /// The elements of all such fields, which are lists.
    pub fn elements(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.get_all(field).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    /// The values of all fields of this name, in any spelling.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.lines.iter().filter(move |line| {
            usize::from(line.name_length) == name.len()
                && self.name(line).eq_ignore_ascii_case(name.as_bytes())
        });
        lines.map(|line| self.value(line))
    }

    /// All names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// Takes all of these fields out.
    pub fn remove(&mut self, fields: &[Field]) {
        let mask = fields.iter().fold(0, |mask, field| mask | field.bit());
        if self.seen & mask != 0 {
            self.lines.retain(|line| line.field.bit() & mask == 0);
            self.seen &= !mask;
        }
    }

    /// Takes all fields of this name out, in any spelling.
    pub fn remove_named(&mut self, name: &[u8]) {
        let Self { head, added, lines, .. } = self;
        lines.retain(|line| !line.name_in(if line.added { added } else { head }).eq_ignore_ascii_case(name));
    }

    /// Adds a field after the others. A value that can't stand in a head, because it would end its line, is
    /// left out.
    pub fn append(&mut self, field: Field, value: &[u8]) {
        self.append_named(field.name(), value);
    }

    /// Adds a field after the others. `name` must be a token. A value that can't stand in a head, because it
    /// would end its line, is left out.
    pub fn append_named(&mut self, name: &str, value: &[u8]) {
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
            return;
        }
        let start = self.added.len();
        self.added.extend_from_slice(name.as_bytes());
        self.added.extend_from_slice(b": ");
        self.added.extend_from_slice(value);
        let line = u32::try_from(start).ok().and_then(|at| Line::of(&self.added[start..], at, true));
        self.added.extend_from_slice(b"\r\n");
        if let Some(line) = line {
            self.seen |= line.field.bit();
            self.lines.push(line);
        }
    }

    /// Has one such field, with this value.
    pub fn set(&mut self, field: Field, value: &[u8]) {
        self.remove(&[field]);
        self.append(field, value);
    }

    /// Appends the lines to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
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
        &self.bytes(line)[line.value as usize..line.value_end as usize]
    }
}

impl Line {
    /// Takes a line without its CRLF apart, which begins at `start`.
    fn of(line: &[u8], start: u32, added: bool) -> Option<Self> {
        let colon = memchr::memchr(b':', line)?;
        let after = &line[colon + 1..];
        // No control byte but HTAB is in a judged value, so this trims what RFC 9110 section 5.5 says.
        let leading = after.len() - after.trim_ascii_start().len();
        let value = after.trim_ascii();
        let at = |offset: usize| Some(start + u32::try_from(offset).ok()?);
        let value_at = colon + 1 + leading;
        Some(Self {
            field: Field::of(&line[..colon]),
            added,
            name_length: u16::try_from(colon).ok()?,
            start,
            value: at(value_at)?,
            value_end: at(value_at + value.len())?,
            end: at(line.len() + 2)?,
        })
    }

    fn name_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..][..usize::from(self.name_length)]
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

    const HEAD: &[u8] =
        b"GET / HTTP/1.1\r\nHOST:  x \r\nX-A: 1\r\nConnection: a, b\r\nx-a:\t2\t\r\nEmpty:\r\n\r\n";

    fn fields() -> Fields {
        Fields::parse(Bytes::from_static(HEAD), 16).unwrap()
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

    #[test]
    fn a_head_without_fields_has_none() {
        assert_eq!(
            Fields::parse(Bytes::from_static(b"GET / HTTP/1.0\r\n\r\n"), 16).unwrap().iter().count(),
            0
        );
    }
}
