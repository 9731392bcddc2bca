//! Parts of HTTP messages: methods, field names, paths, statuses, and expressions that match them.

use http::{HeaderName, Method, StatusCode};

use super::{Codec, Context, Form, Number, Numbers, Problem, Shape, Text, shortened};
use crate::model::{Pattern, StatusRanges};
use crate::tree::NodeId;

/// A request's method.
pub(crate) const METHOD: Text<Method> = Text {
    what: "a method such as `GET`",
    pattern: Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
    numbers: Numbers::Refused,
    parse: |text| {
        let upper = text.to_ascii_uppercase();
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
        if text != upper && known.contains(&upper.as_str()) {
            let problem = Problem::new(format!("`{text}` is not a method: they are case-sensitive"));
            return Err(problem.hint(format!("did you mean `{upper}`?")));
        }
        let wrong = |_| Problem::new(format!("`{}` is not a method", shortened(text)));
        Method::from_bytes(text.as_bytes()).map_err(wrong)
    },
    print: |method| method.as_str().into(),
};

/// The name of a field of a message's head.
pub(crate) const FIELD_NAME: Text<HeaderName> = Text {
    what: "the name of a header field",
    pattern: Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
    numbers: Numbers::Refused,
    parse: header_name,
    print: |name| name.as_str().into(),
};

/// Reads the name of a field.
pub(crate) fn header_name(text: &str) -> Result<HeaderName, Problem> {
    let wrong = |_| Problem::new(format!("`{}` is not the name of a header field", shortened(text)));
    HeaderName::from_bytes(text.as_bytes()).map_err(wrong)
}

/// A path, without a query.
pub(crate) const PATH: Text<String> = Text {
    what: "a path such as `/v1/`",
    pattern: Some("^/[!-\"$->@-~]*$"),
    numbers: Numbers::Refused,
    parse: |text| match text.split_once('?') {
        Some((path, _)) => Err(Problem::new(format!("`{}` is a path with a query", shortened(text)))
            .hint(format!("write `{}`; parameters are matched by `query`", shortened(path)))),
        None => parse_target(text),
    },
    print: String::clone,
};

/// A path, perhaps with a query.
pub(crate) const TARGET: Text<String> = Text {
    what: "a path, perhaps with a query",
    pattern: Some("^/[!-\"$-~]*$"),
    numbers: Numbers::Refused,
    parse: parse_target,
    print: String::clone,
};

fn parse_target(text: &str) -> Result<String, Problem> {
    const BYTES_MAX: usize = 8192;
    if !text.starts_with('/') {
        let problem = Problem::new(format!("the path `{}` does not begin with `/`", shortened(text)));
        let is_url = text.contains("://");
        return Err(if is_url {
            problem
        } else {
            problem.hint(format!("did you mean `/{}`?", shortened(text)))
        });
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        let problem = Problem::new(format!("`{}` cannot stand in a path", wrong.escape_debug()));
        let mut bytes = [0; 4];
        let escaped: Vec<_> = wrong.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")).collect();
        return Err(problem.hint(format!("write it as `{}`", escaped.concat())));
    }
    match text.len() {
        0..=BYTES_MAX => Ok(text.into()),
        length => Err(Problem::new(format!("the path has {length} bytes; the most is {BYTES_MAX}"))),
    }
}

/// The value of a `Host` field.
pub(crate) const AUTHORITY: Text<String> = Text {
    what: "a host, perhaps with a port",
    pattern: Some("^[!-~]+$"),
    numbers: Numbers::Refused,
    parse: |text| {
        let good = text.parse::<http::uri::Authority>().is_ok_and(|a| !a.as_str().contains('@'));
        let wrong = || Problem::new(format!("`{}` is not a host", shortened(text)));
        good.then(|| text.into()).ok_or_else(wrong)
    },
    print: String::clone,
};

/// The media type of an answer's body.
pub(crate) const CONTENT_TYPE: Text<String> = Text {
    what: "a media type",
    pattern: Some("^[!-~]+/[ -~]+$"),
    numbers: Numbers::Refused,
    parse: |text| {
        let good = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim() == text;
        match text.split_once('/') {
            Some((kind, subtype))
                if good && !kind.is_empty() && !kind.contains(' ') && !subtype.is_empty() =>
            {
                Ok(text.into())
            }
            Some(_) | None => Err(Problem::new(format!("`{}` is not a media type", shortened(text)))
                .hint("write it like `text/plain; charset=utf-8`")),
        }
    },
    print: String::clone,
};

/// The body of an answer.
pub(crate) const BODY: Text<String> = Text {
    what: "a text (at most 64KiB)",
    pattern: None,
    numbers: Numbers::Refused,
    parse: |text| match text.len() {
        0..=0x1_0000 => Ok(text.into()),
        length => Err(Problem::new(format!("the body has {length} bytes; the most is 64KiB"))),
    },
    print: String::clone,
};

/// A regular expression.
pub(crate) const REGEX: Text<Pattern> = Text {
    what: "a regular expression",
    pattern: None,
    numbers: Numbers::Refused,
    parse: |text| {
        Pattern::new(text).map_err(|error| {
            // A syntax error has a drawing above its last line, which says what is wrong.
            let lines = error.to_string();
            let cause = lines.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            Problem::new(format!("`{}` is not a regular expression: {cause}", shortened(text)))
        })
    },
    print: |pattern| pattern.as_str().into(),
};

/// The lowest and the highest status that can be spoken of.
const STATUS_MIN: u16 = 100;
const STATUS_MAX: u16 = 599;

/// Ranges of statuses.
pub(crate) const STATUSES: Text<StatusRanges> = Text {
    what: "statuses such as `200-399` or `200,204`",
    pattern: Some("^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$"),
    numbers: Numbers::Taken { min: STATUS_MIN as u64, max: STATUS_MAX as u64 },
    parse: |text| text.split(',').map(parse_range).collect::<Result<_, _>>().map(StatusRanges),
    print: |StatusRanges(ranges)| {
        let print = |&(low, high): &(u16, u16)| match low == high {
            true => low.to_string(),
            false => format!("{low}-{high}"),
        };
        ranges.iter().map(print).collect::<Vec<_>>().join(",")
    },
};

fn parse_range(text: &str) -> Result<(u16, u16), Problem> {
    let status = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| (STATUS_MIN..=STATUS_MAX).contains(number));
        number.filter(|_| digits)
    };
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let wrong = || Problem::new(format!("`{}` is not a range of statuses", shortened(text)));
    match (status(low), status(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        (Some(low), Some(high)) => Err(wrong().hint(format!("did you mean `{high}-{low}`?"))),
        (Some(_) | None, Some(_) | None) => {
            let class = text.strip_suffix("xx").filter(|class| matches!(*class, "1" | "2" | "3" | "4" | "5"));
            Err(match class {
                Some(class) => wrong().hint(format!("did you mean `{class}00-{class}99`?")),
                None => wrong().hint("write it like `200-399` or `200,204`; statuses are 100 to 599"),
            })
        }
    }
}

/// The status of an answer.
pub(crate) enum Status {
    /// One of these.
    Of(&'static [u16]),
    /// Any from the first to the second.
    From(u16, u16),
}

impl Codec for Status {
    type Value = StatusCode;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<StatusCode> {
        match self {
            Self::From(min, max) => {
                let number = Number { range: *min..=*max }.decode(node, cx)?;
                StatusCode::from_u16(number).ok()
            }
            Self::Of(known) => {
                let number = Number { range: 0..=999 }.decode(node, cx)?;
                if !known.contains(&number) {
                    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
                    cx.error(node, format!("{number} is not one of {}", known.join(", ")));
                    return None;
                }
                StatusCode::from_u16(number).ok()
            }
        }
    }

    fn encode(&self, value: &StatusCode) -> Form {
        Form::Number(value.as_u16().into())
    }

    fn shape(&self) -> Shape {
        match *self {
            Self::Of(known) => Shape::Choice(known),
            Self::From(min, max) => Shape::Integer { min: min.into(), max: max.into() },
        }
    }
}
