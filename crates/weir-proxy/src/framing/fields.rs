//! Field lines, and the few fields that decide where a message ends or whom it is for.
//!
//! A line is judged when it is whole, in the order of the stream. Where it is, is
//! noted for whoever wants the fields.

use std::ops::Range;

use super::bytes::{TCHAR, all, has_control, trim_ows};
use super::lines::Line;
use super::{HeadLimits, Violation, host};
use crate::fields::{Field, FieldLines};

/// hyper refuses names of 64 KiB with an error of its own; no real name comes near this.
const FIELD_NAME_BYTES_MAX: usize = 1024;

/// hyper keeps its own marks in the two highest lengths.
const CONTENT_LENGTH_MAX: u64 = u64::MAX - 2;

/// A field line taken apart.
pub(super) struct FieldLine<'a> {
    pub(super) field: Field,
    pub(super) name: &'a [u8],
    /// What follows the colon, with the white space around the value.
    raw: &'a [u8],
    /// Offset of that in the head.
    raw_at: usize,
}

impl<'a> FieldLine<'a> {
    /// Notes where it is.
    #[inline]
    pub(super) fn note(&self, list: &mut FieldLines) {
        let name_length = self.name.len();
        list.push(self.field, self.raw_at - 1 - name_length, name_length, name_length + 1 + self.raw.len());
    }

    /// The value without the white space around it. Only the few fields that matter here pay for it.
    fn value(&self) -> &'a [u8] {
        trim_ows(self.raw)
    }

    /// Where the value stands in the head.
    fn value_at(&self) -> Range<usize> {
        // no control byte is in it, so this takes SP and HTAB only
        let start = self.raw_at + self.raw.len() - self.raw.trim_ascii_start().len();
        start..start + self.value().len()
    }
}

/// `field-name ":" OWS field-value OWS`, RFC 9112 section 5. `count` is the number of this line, from 1.
#[inline]
pub(super) fn parse<'a>(
    line: Line<'a>,
    count: usize,
    limits: &HeadLimits,
) -> Result<FieldLine<'a>, Violation> {
    if count > limits.fields {
        return Err(Violation::TooManyFields);
    }
    let bytes = line.bytes;
    let Some(colon) = bytes.iter().position(|&byte| !TCHAR[usize::from(byte)]) else {
        return Err(Violation::FieldNameInvalid);
    };
    if bytes[colon] != b':' || colon == 0 {
        return Err(bad_name(bytes, colon));
    }
    if colon > FIELD_NAME_BYTES_MAX {
        return Err(Violation::FieldNameTooLong);
    }
    let raw = &bytes[colon + 1..];
    if has_control(raw) {
        return Err(name_the_byte(bytes, Violation::ControlByte));
    }
    let name = &bytes[..colon];
    Ok(FieldLine { field: Field::of(name), name, raw, raw_at: line.at + colon + 1 })
}

/// Prefers the byte that explains the refusal: a bare CR or a NUL is what an attack looks like.
pub(super) fn name_the_byte(line: &[u8], otherwise: Violation) -> Violation {
    if line.contains(&b'\r') {
        Violation::BareCr
    } else if line.contains(&b'\0') {
        Violation::Nul
    } else {
        otherwise
    }
}

fn bad_name(line: &[u8], at: usize) -> Violation {
    let violation = match (at, line[at]) {
        // obs-fold, RFC 9112 section 5.2; at the first field line it is white space after the start line
        (0, b' ' | b'\t') => Violation::FieldFolded,
        (_, b' ' | b'\t') => Violation::SpaceBeforeColon,
        (_, _) => Violation::FieldNameInvalid,
    };
    name_the_byte(line, violation)
}

/// What the fields of a head say about its message.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
    /// Where the Host field's value stands in the head (only of requests).
    pub(super) host: Option<Range<usize>>,
}

impl Framing {
    /// Takes note of one field of a request.
    #[inline]
    pub(super) fn observe_request(&mut self, field: &FieldLine<'_>, http10: bool) -> Result<(), Violation> {
        if field.field == Field::Host {
            return self.observe_host(field);
        }
        self.observe_length(field, http10)
    }

    /// Takes note of one field of a response.
    #[inline]
    pub(super) fn observe_length(&mut self, field: &FieldLine<'_>, http10: bool) -> Result<(), Violation> {
        if field.field == Field::ContentLength {
            self.observe_content_length(field)
        } else if field.field == Field::TransferEncoding {
            self.observe_transfer_encoding(field, http10)
        } else {
            Ok(())
        }
    }

    fn observe_host(&mut self, field: &FieldLine<'_>) -> Result<(), Violation> {
        if self.host.is_some() {
            return Err(Violation::HostRepeated);
        }
        let value = field.value();
        // Empty is valid and means "no authority" (RFC 9112 section 3.2): the health checks of others send it.
        if !value.is_empty() && host::parse(value).is_none() {
            return Err(Violation::HostInvalid);
        }
        self.host = Some(field.value_at());
        Ok(())
    }

    fn observe_content_length(&mut self, field: &FieldLine<'_>) -> Result<(), Violation> {
        if self.chunked {
            return Err(Violation::LengthAndTransferEncoding);
        }
        if self.content_length.is_some() {
            return Err(Violation::LengthRepeated);
        }
        self.content_length = Some(content_length(field.value())?);
        Ok(())
    }

    fn observe_transfer_encoding(&mut self, field: &FieldLine<'_>, http10: bool) -> Result<(), Violation> {
        if http10 {
            return Err(Violation::TransferEncodingInHttp10);
        }
        if self.content_length.is_some() {
            return Err(Violation::LengthAndTransferEncoding);
        }
        if self.chunked {
            return Err(Violation::TransferEncodingRepeated);
        }
        transfer_encoding(field.value())?;
        self.chunked = true;
        Ok(())
    }
}

/// `1*DIGIT`, RFC 9110 section 8.6: no sign, no list, no white space inside.
fn content_length(value: &[u8]) -> Result<u64, Violation> {
    if value.is_empty() {
        return Err(Violation::LengthInvalid);
    }
    let parsed = value.iter().try_fold(0u64, |length, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    });
    parsed.filter(|&length| length <= CONTENT_LENGTH_MAX).ok_or(Violation::LengthInvalid)
}

/// Only `chunked`, alone, goes through. The refusals follow RFC 9112 section 6.1: what is malformed, or leaves
/// the length unknown, is a 400; a coding we don't know before the final `chunked` is a 501.
fn transfer_encoding(value: &[u8]) -> Result<(), Violation> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(());
    }
    let mut codings = value.split(|&byte| byte == b',').map(trim_ows);
    let last = codings.next_back().unwrap_or_default();
    let is_token = |coding: &[u8]| !coding.is_empty() && all(&TCHAR, coding);
    if !is_token(last) || codings.any(|coding| !is_token(coding) || is_chunked(coding)) {
        return Err(Violation::TransferEncodingInvalid);
    }
    Err(Violation::TransferCodingUnknown)
}

/// Whether a trailer may stand in a trailer section: not what frames or routes a message (RFC 9110 section
/// 6.5.1), because a peer that merges trailers into the head would read another message than we did.
pub(super) fn allowed_in_trailers(field: Field) -> bool {
    !matches!(field, Field::Host | Field::ContentLength | Field::TransferEncoding)
}
