//! Times of day as logs write them, in UTC.
//!
//! Invariant: the cached texts always belong to the cached second. A busy worker writes thousands of lines
//! a second, so the calendar is worked out once for all of them. A time before 1970 is written as
//! 1970-01-01, one after the year 9999 as that year's last second.

use std::time::{Duration, SystemTime};

/// 9999-12-31T23:59:59Z.
const SECOND_MAX: u64 = 253_402_300_799;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// The texts of one second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timestamp {
    second: u64,
    /// `2026-01-31T23:59:59`
    rfc3339: [u8; 19],
    /// `31/Jan/2026:23:59:59`
    ncsa: [u8; 20],
}

/// A time as the API and the log write it: `2026-01-31T23:59:59.123Z` (RFC 3339).
pub fn rfc3339(at: SystemTime) -> String {
    let mut text = Vec::with_capacity(24);
    Timestamp::default().write_rfc3339(at, &mut text);
    String::from_utf8(text).expect("digits and ASCII signs")
}

impl Default for Timestamp {
    fn default() -> Self {
        Self { second: 0, rfc3339: *b"1970-01-01T00:00:00", ncsa: *b"01/Jan/1970:00:00:00" }
    }
}

impl Timestamp {
    /// Appends `2026-01-31T23:59:59.123Z` (RFC 3339).
    pub(super) fn write_rfc3339(&mut self, at: SystemTime, out: &mut Vec<u8>) {
        let since = self.set(at);
        out.extend_from_slice(&self.rfc3339);
        let [a, b] = two_digits(u64::from(since.subsec_millis() / 10));
        out.extend_from_slice(&[b'.', a, b, b'0' + (since.subsec_millis() % 10) as u8, b'Z']);
    }

    /// Appends `31/Jan/2026:23:59:59 +0000`, as the common log format has it.
    pub(super) fn write_ncsa(&mut self, at: SystemTime, out: &mut Vec<u8>) {
        self.set(at);
        out.extend_from_slice(&self.ncsa);
        out.extend_from_slice(b" +0000");
    }

    /// Makes the texts those of `at`, and gives the time since 1970.
    fn set(&mut self, at: SystemTime) -> Duration {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let second = since.as_secs().min(SECOND_MAX);
        if second != self.second {
            *self = Self::of(second);
        }
        since
    }

    fn of(second: u64) -> Self {
        let (year, month, day) = civil(second / 86_400);
        let (century, year, day) = (two_digits(year / 100), two_digits(year % 100), two_digits(day));
        let [h, m, s] = [second / 3600 % 24, second / 60 % 60, second % 60].map(two_digits);

        let mut stamp = Self { second, ..Self::default() };
        let month_number = two_digits(month as u64 + 1);
        for (at, part) in [(0, century), (2, year), (5, month_number), (8, day), (11, h), (14, m), (17, s)] {
            stamp.rfc3339[at..at + 2].copy_from_slice(&part);
        }
        for (at, part) in [(0, day), (7, century), (9, year), (12, h), (15, m), (18, s)] {
            stamp.ncsa[at..at + 2].copy_from_slice(&part);
        }
        stamp.ncsa[3..6].copy_from_slice(MONTHS[month]);
        stamp
    }
}

/// The year, the month from 0 and the day from 1 of a day counted from 1970-01-01, after Howard Hinnant's
/// `civil_from_days`: years begin in March, so that a leap day is the last of its year.
fn civil(day: u64) -> (u64, usize, u64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = ((from_march + 2) % 12) as usize;
    (era * 400 + year_of_era + u64::from(month < 2), month, day_of_month)
}

/// The last two decimal digits of `n`.
fn two_digits(n: u64) -> [u8; 2] {
    [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(stamp: &mut Timestamp, at: SystemTime) -> (String, String) {
        let (mut rfc3339, mut ncsa) = (Vec::new(), Vec::new());
        stamp.write_rfc3339(at, &mut rfc3339);
        stamp.write_ncsa(at, &mut ncsa);
        (String::from_utf8(rfc3339).unwrap(), String::from_utf8(ncsa).unwrap())
    }

    #[test]
    fn known_times() {
        // The seconds are those of `date -u -d TEXT +%s`.
        for (millis, rfc3339, ncsa) in [
            (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z", "28/Feb/2000:23:59:59 +0000"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z", "29/Feb/2000:00:00:00 +0000"),
            (1_709_251_199_050, "2024-02-29T23:59:59.050Z", "29/Feb/2024:23:59:59 +0000"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "01/Mar/2100:00:00:00 +0000"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(texts(&mut Timestamp::default(), at), (rfc3339.into(), ncsa.into()));
        }
    }

    #[test]
    fn times_out_of_range_are_written_as_the_nearest_in_range() {
        let mut stamp = Timestamp::default();
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(texts(&mut stamp, before).0, "1970-01-01T00:00:00.000Z");
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(SECOND_MAX + 1);
        assert_eq!(texts(&mut stamp, after).0, "9999-12-31T23:59:59.000Z");
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate_in_any_order(seconds in prop::collection::vec(0..=SECOND_MAX, 1..20)) {
            let mut stamp = Timestamp::default();
            for second in seconds {
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
                let (rfc3339, ncsa) = texts(&mut stamp, at);
                // `Sun, 06 Nov 1994 08:49:37 GMT`
                let http = httpdate::fmt_http_date(at);
                prop_assert_eq!(&ncsa, &format!("{}/{}/{}:{} +0000", &http[5..7], &http[8..11], &http[12..16], &http[17..25]));
                prop_assert_eq!(&rfc3339[..4], &http[12..16]);
                prop_assert_eq!(&rfc3339[8..10], &http[5..7]);
                prop_assert_eq!(&rfc3339[11..19], &http[17..25]);
                let month: usize = rfc3339[5..7].parse().unwrap();
                prop_assert_eq!(MONTHS[month - 1], &http.as_bytes()[8..11]);
            }
        }
    }
}
