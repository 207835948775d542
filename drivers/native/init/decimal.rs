//! Numbers as text for the kernel.

use core::ffi::CStr;

/// Decimal digits of a number; 21 bytes hold any, and of a number that does not fit the last digits remain.
pub(crate) fn decimal<const N: usize>(mut number: u64, buffer: &mut [u8; N]) -> &CStr {
    let mut start = N.saturating_sub(1);
    while start > 0 {
        start -= 1;
        if let Some(place) = buffer.get_mut(start) {
            *place = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer
        .get(start..)
        .and_then(|text| CStr::from_bytes_until_nul(text).ok())
        .unwrap_or(c"")
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn digits_are_the_number() {
        for number in [0, 7, 10, 4096, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(
                decimal(number, &mut [0; 21]).to_str(),
                Ok(number.to_string().as_str())
            );
        }
    }
}
