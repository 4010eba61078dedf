//! The local headers of a zip archive that passes by (APPNOTE.TXT 4.3.7): where the contents lie that are
//! packed as they are. Only a guess, which the directory at the end confirms or not.

use std::ops::RangeInclusive;

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const FIXED_BYTES: usize = 30;
/// A password, sizes that come behind the content, a patch, hidden fields.
const NOT_PLAIN: u16 = 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 13;
/// Behind the content.
const SIZES_LATER: u16 = 1 << 3;
/// A size that stands in the extra field of zip64 (4.5.3).
const ELSEWHERE: u32 = u32::MAX;
const ZIP64: u16 = 1;

#[derive(Debug)]
pub(super) struct Headers {
    /// The sizes of contents that are wanted, in bytes.
    wanted: RangeInclusive<u64>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In a header, of which this has passed.
    Header(Vec<u8>),
    /// In a content, of which so many bytes are left.
    Content(u64),
    /// Behind what cannot be told from here.
    Lost,
}

impl Headers {
    /// `None` where no content is wanted.
    pub(super) fn new(wanted: Option<RangeInclusive<u64>>) -> Self {
        match wanted {
            Some(wanted) => Self {
                wanted,
                state: State::Header(Vec::new()),
            },
            None => Self {
                wanted: 0..=0,
                state: State::Lost,
            },
        }
    }

    /// Passes over bytes, at most up to the beginning of a content that is wanted. Gives how many it has
    /// passed, and the size of that content, which must not be passed by here.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> (usize, Option<u64>) {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            match &mut self.state {
                State::Lost => passed = bytes.len(),
                State::Content(left) => {
                    let count = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= count as u64;
                    passed += count;
                    if *left == 0 {
                        self.state = State::Header(Vec::new());
                    }
                }
                State::Header(header) => {
                    let count = rest.len().min(header_bytes(header) - header.len());
                    header.extend_from_slice(&rest[..count]);
                    passed += count;
                    if header.len() < header_bytes(header) {
                        continue;
                    }
                    let content = Content::of(header);
                    if let Some(size) = content.plain_bytes.filter(|size| self.wanted.contains(size)) {
                        self.state = State::Header(Vec::new());
                        return (passed, Some(size));
                    }
                    self.state = match content.packed_bytes {
                        Some(0) => State::Header(Vec::new()),
                        Some(size) => State::Content(size),
                        None => State::Lost,
                    };
                }
            }
        }
        (passed, None)
    }
}

/// How long the header is, as far as can be told from this beginning of it.
fn header_bytes(header: &[u8]) -> usize {
    if header.len() < FIXED_BYTES || !header.starts_with(&SIGNATURE) {
        return FIXED_BYTES;
    }
    FIXED_BYTES + usize::from(u16_at(header, 26)) + usize::from(u16_at(header, 28))
}

/// What follows a header.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    /// As far as can be told.
    packed_bytes: Option<u64>,
    /// Of one that is packed as it is.
    plain_bytes: Option<u64>,
}

impl Content {
    fn of(header: &[u8]) -> Self {
        let (flags, method) = (u16_at(header, 6), u16_at(header, 8));
        let sizes = match header.starts_with(&SIGNATURE) && flags & SIZES_LATER == 0 {
            true => sizes(header),
            false => None,
        };
        let is_plain = method == 0 && flags & NOT_PLAIN == 0;
        Self {
            packed_bytes: sizes.map(|(packed, _)| packed),
            plain_bytes: sizes
                .filter(|(packed, unpacked)| is_plain && packed == unpacked)
                .map(|(packed, _)| packed),
        }
    }
}

/// Packed and unpacked.
fn sizes(header: &[u8]) -> Option<(u64, u64)> {
    let (packed, unpacked) = (u32_at(header, 18), u32_at(header, 22));
    if packed != ELSEWHERE && unpacked != ELSEWHERE {
        return Some((packed.into(), unpacked.into()));
    }
    let mut extra = &header[FIXED_BYTES + usize::from(u16_at(header, 26))..];
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = extra.get(4..4 + length)?;
        if id == ZIP64 {
            // In a local header both stand in it, the unpacked size first.
            let size = |at: usize| Some(u64::from_le_bytes(field.get(at..at + 8)?.try_into().ok()?));
            return Some((size(8)?, size(0)?));
        }
        extra = &extra[4 + length..];
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u16, method: u16, packed: u32, unpacked: u32, extra: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend(20u16.to_le_bytes());
        header.extend(flags.to_le_bytes());
        header.extend(method.to_le_bytes());
        header.extend([0; 8]);
        header.extend(packed.to_le_bytes());
        header.extend(unpacked.to_le_bytes());
        header.extend(3u16.to_le_bytes());
        header.extend((extra.len() as u16).to_le_bytes());
        header.extend(b"a.v");
        header.extend(extra);
        header
    }

    /// Where contents of 10 to 100 bytes are found, with their sizes, whatever the pieces are like.
    fn found(archive: &[u8]) -> Vec<(usize, u64)> {
        let in_pieces_of = |piece: usize| {
            let mut headers = Headers::new(Some(10..=100));
            let (mut at, mut found) = (0, Vec::new());
            while at < archive.len() {
                let end = archive.len().min(at + piece);
                let (passed, content) = headers.pass(&archive[at..end]);
                at += passed;
                if let Some(size) = content {
                    found.push((at, size));
                    at += size as usize;
                }
            }
            found
        };
        let whole = in_pieces_of(usize::MAX - archive.len());
        for piece in 1..50 {
            assert_eq!(in_pieces_of(piece), whole, "in pieces of {piece} bytes");
        }
        whole
    }

    #[test]
    fn plain_contents_of_the_wanted_size_are_found_behind_others() {
        let mut archive = header(0, 8, 20, 200, b"");
        archive.extend([b'P'; 20]);
        archive.extend(header(0, 0, 5, 5, b""));
        archive.extend([b'x'; 5]);
        archive.extend(header(0, 0, 0, 0, b"\x09\x09\0\0"));
        archive.extend(header(0, 0, 30, 30, b"\x09\x09\0\0"));
        let first = archive.len();
        archive.extend([b'x'; 30]);
        let zip64 = [
            b"\x01\0\x10\0".as_slice(),
            &40u64.to_le_bytes(),
            &40u64.to_le_bytes(),
        ]
        .concat();
        archive.extend(header(0, 0, u32::MAX, u32::MAX, &zip64));
        let second = archive.len();
        archive.extend([b'x'; 40]);
        archive.extend(b"PK\x01\x02 and whatever the directory holds");
        assert_eq!(found(&archive), [(first, 30), (second, 40)]);
    }

    #[test]
    fn what_is_not_plain_or_cannot_be_told_is_left_alone() {
        let cases = [
            header(1, 0, 30, 30, b""),
            header(8, 0, 30, 30, b""),
            header(0, 8, 30, 30, b""),
            header(0, 0, 30, 31, b""),
            header(0, 0, 300, 300, b""),
            header(0, 0, u32::MAX, u32::MAX, b"\x01\0\x08\0\x1e\0\0\0\0\0\0\0"),
            header(0, 0, u32::MAX, u32::MAX, b"\x01\0\xff\xff"),
            b"no zip archive at all, but long enough to have a header".to_vec(),
        ];
        for case in cases {
            let archive = [case.as_slice(), &[b'x'; 30]].concat();
            assert_eq!(found(&archive), [], "{case:?}");
        }
    }
}
