//! Lists of numbers in the kernel's form: `0-3,7`.

/// One past the highest number: far above the processors and nodes of any kernel.
pub const RANGES_END: u32 = 1 << 16;

/// The ranges of a list, first and last; `None` when it is none or has a number of
/// [`RANGES_END`] or more. An empty text is an empty list.
///
/// ```
/// use execdriver_core::spec::number_ranges;
/// assert_eq!(number_ranges("0-3,7"), Some(vec![(0, 3), (7, 7)]));
/// assert_eq!(number_ranges("3-0"), None);
/// ```
pub fn number_ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    if list.is_empty() {
        return Some(Vec::new());
    }
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok())??;
        (number < RANGES_END).then_some(number)
    };
    list.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, last))
        })
        .collect()
}
