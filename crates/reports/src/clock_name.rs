//! The names of clocks as the user wrote them, without what nextpnr adds when it puts a net behind
//! an input buffer (`clk$SB_IO_IN`) or on a global wire (`clk_$glb_clk`, `$glbnet$clk`).

use std::collections::BTreeMap;

/// What nextpnr puts before a net's name; ECP5 and its relatives.
const PREFIXES: [&str; 1] = ["$glbnet$"];

/// What nextpnr puts behind a net's name, outermost first: iCE40's global wire, then the buffers of
/// iCE40 and ECP5.
const SUFFIXES: [&str; 3] = ["_$glb_clk", "$SB_IO_IN", "$TRELLIS_IO_IN"];

/// Renames the clocks of one file to the user's names. Two clocks that would get the same name both
/// keep the tool's.
pub(crate) fn as_the_user_wrote<V>(clocks: BTreeMap<String, V>) -> Vec<(String, V)> {
    let mut times_used = BTreeMap::<String, usize>::new();
    for name in clocks.keys() {
        *times_used.entry(stripped(name).to_owned()).or_default() += 1;
    }
    let rename = |(name, value): (String, V)| {
        let short = stripped(&name);
        let unambiguous = times_used.get(short) == Some(&1);
        let shown = if unambiguous { short.to_owned() } else { name };
        (shown, value)
    };
    clocks.into_iter().map(rename).collect()
}

fn stripped(name: &str) -> &str {
    let mut short = name;
    for prefix in PREFIXES {
        short = short.strip_prefix(prefix).unwrap_or(short);
    }
    for suffix in SUFFIXES {
        short = short.strip_suffix(suffix).unwrap_or(short);
    }
    if short.is_empty() { name } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str]) -> Vec<String> {
        let clocks = names.iter().map(|name| ((*name).to_owned(), ())).collect();
        as_the_user_wrote(clocks)
            .into_iter()
            .map(|(name, ())| name)
            .collect()
    }

    #[test]
    fn a_clock_is_shown_as_the_user_wrote_it() {
        assert_eq!(shown(&["clk$SB_IO_IN_$glb_clk"]), ["clk"]);
        assert_eq!(shown(&["clk$SB_IO_IN"]), ["clk"]);
        assert_eq!(shown(&["divided_$glb_clk"]), ["divided"]);
        assert_eq!(shown(&["$glbnet$clk_25mhz$TRELLIS_IO_IN"]), ["clk_25mhz"]);
        assert_eq!(shown(&["soc.cpu.clk"]), ["soc.cpu.clk"]);
    }

    #[test]
    fn two_clocks_that_would_be_called_the_same_keep_the_tools_names() {
        assert_eq!(
            shown(&["clk", "clk$SB_IO_IN", "other$SB_IO_IN"]),
            ["clk", "clk$SB_IO_IN", "other"]
        );
    }

    #[test]
    fn a_name_that_is_nothing_but_additions_stays() {
        assert_eq!(shown(&["_$glb_clk"]), ["_$glb_clk"]);
        assert_eq!(shown(&[""]), [""]);
    }
}
