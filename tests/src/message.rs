//! Heads of messages, read strictly: a test must not forgive what a careful peer would refuse.

/// The head of a request or a response.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Its first line.
    pub start: String,
    /// Names as they were written, values without the white space around them.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head, from its first byte to the last of the empty line.
    ///
    /// # Errors
    /// What of it is not RFC 9112's grammar.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}: {:?}", String::from_utf8_lossy(bytes));
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let text = text.strip_suffix("\r\n\r\n").ok_or_else(|| wrong("no empty line at the end"))?;
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        for line in lines {
            if line.contains(['\r', '\n', '\0']) {
                return Err(wrong("a control character within a line"));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line without a colon"))?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(wrong("a name that is no token"));
            }
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        if start.contains(['\r', '\n', '\0']) {
            return Err(wrong("a control character within the first line"));
        }
        Ok(Self { start, fields })
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that may occur once.
    ///
    /// # Panics
    /// When it occurs more than once.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} occurs {} times: {self:?}", all.len());
        all.first().copied()
    }

    /// Whether a list in a field has this element.
    pub fn lists(&self, name: &str, element: &str) -> bool {
        let values = self.all(name);
        values
            .iter()
            .flat_map(|value| value.split(','))
            .any(|found| found.trim().eq_ignore_ascii_case(element))
    }

    /// How the body after it is framed, apart from what the status says.
    ///
    /// # Errors
    /// When it is framed twice, or in a way that is not understood.
    pub fn framing(&self) -> Result<Framing, String> {
        match (self.all("transfer-encoding").as_slice(), self.all("content-length").as_slice()) {
            ([], []) => Ok(Framing::None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            ([], [length]) => match length.parse() {
                Ok(length) => Ok(Framing::Length(length)),
                Err(_) => Err(format!("a length that is no number: {self:?}")),
            },
            _ => Err(format!("a body framed in more than one way: {self:?}")),
        }
    }
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing is said.
    None,
    /// So many bytes.
    Length(usize),
    /// In chunks.
    Chunked,
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
