//! The interfaces of a network namespace, from the text of `/proc/PID/net/dev`.

use execdriver_core::NetworkStats;

/// Two lines of heading, then `name: 8 numbers of receiving, 8 of sending` (proc_pid_net(5)).
pub(crate) fn interfaces(text: &str) -> Vec<NetworkStats> {
    text.lines().filter_map(interface).collect()
}

fn interface(line: &str) -> Option<NetworkStats> {
    // A name may have a colon of its own (old aliases), the numbers never do.
    let (name, numbers) = line.rsplit_once(':')?;
    let mut parsed: Vec<u64> = Vec::with_capacity(16);
    for word in numbers.split_whitespace() {
        parsed.push(word.parse().ok()?);
    }
    let [
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        _,
        _,
        _,
        _,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        ..,
    ] = *parsed.as_slice()
    else {
        return None;
    };
    Some(NetworkStats {
        name: name.trim_start().to_owned(),
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_each_interface_are_found_and_the_heading_is_not_one() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     120       2    0    0    0     0          0         0      120       2    0    0    0     0       0          0
  eth0:1048576    1000    1    2    0     0          0         3  2097152    2000    4    5    0     0       0          0
a:b:       1       2    3    4    5     6          7         8        9      10   11   12   13    14      15         16
";
        let found = interfaces(text);
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["lo", "eth0", "a:b"]);
        let eth0 = &found[1];
        assert_eq!((eth0.rx_bytes, eth0.rx_packets), (1_048_576, 1000));
        assert_eq!((eth0.rx_errors, eth0.rx_dropped), (1, 2));
        assert_eq!((eth0.tx_bytes, eth0.tx_packets), (2_097_152, 2000));
        assert_eq!((eth0.tx_errors, eth0.tx_dropped), (4, 5));
    }

    #[test]
    fn lines_of_another_form_are_left_out() {
        for odd in [
            "",
            "eth0",
            "eth0:",
            "eth0: 1 2 3",
            "eth0: 1 2 3 4 5 6 7 8 9 10 11 x\n",
        ] {
            assert_eq!(interfaces(odd), [], "{odd:?}");
        }
    }
}
