//! `polyphemus devices` on machines that are folders.

use crate::program::{run, stdout};
use polyphemus_testkit::sysfs::{Machine, XrtCard};

fn devices(machine: &Machine, more: &[&str]) -> String {
    let (sys, dev) = (
        machine.sys().display().to_string(),
        machine.dev().display().to_string(),
    );
    let arguments = [&["devices", "--sys-root", &sys, "--dev-root", &dev], more].concat();
    stdout(&run(&arguments))
}

#[test]
fn cards_are_listed_with_shell_node_and_what_ails_them() {
    let machine = Machine::new();
    let (well, ill) = (XrtCard::u200(4), XrtCard::u250(5));
    well.plug(&machine);
    ill.plug(&machine);
    machine.set(&ill.user(), "dev_offline", "1");
    let table = devices(&machine, &[]);
    let line = |id: &str| {
        table
            .lines()
            .find(|line| line.starts_with(id))
            .unwrap_or_default()
            .to_owned()
    };
    for part in [
        "u200",
        "xilinx_u200_xdma_201820_1-1535712995",
        "dri/renderD132",
        "healthy",
    ] {
        assert!(line(&well.user()).contains(part), "{part} is not in {table}");
    }
    assert!(line(&ill.user()).contains("the card is offline"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&devices(&machine, &["--json"])).expect("it is JSON");
    assert_eq!(json["devices"][0]["shell"]["name"], "xilinx_u200_xdma_201820_1");
    assert_eq!(json["devices"][0]["family"], "xrt");
    assert_eq!(
        json["devices"][1]["health"]["sick"]["reason"]
            .as_str()
            .map(|text| text.contains("offline")),
        Some(true)
    );
}
