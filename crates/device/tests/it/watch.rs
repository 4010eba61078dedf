//! Boards over time: sick, well again, gone, back, silent. The clock is an argument; only a read that hangs takes time.
use crate::cards::{find, roots};
use polyphemus_device::{Device, Health, Look, Watcher};
use polyphemus_testkit::sysfs::{Machine, Transcoder, XrtCard};
use std::time::{Duration, Instant};

struct Watch {
    machine: Machine,
    watcher: Watcher,
    now: Instant,
}

impl Watch {
    fn of(cards: &[XrtCard]) -> Self {
        let machine = Machine::new();
        cards.iter().for_each(|card| card.plug(&machine));
        let mut watch = Self {
            watcher: Watcher::new(roots(&machine)),
            machine,
            now: Instant::now(),
        };
        watch.quick(0);
        watch.quick(2);
        watch
    }

    /// Looks as many seconds later; tells whether there was anything new.
    fn quick(&mut self, seconds: u64) -> bool {
        self.look(seconds, Look::Quick)
    }

    fn look(&mut self, seconds: u64, look: Look) -> bool {
        self.now += Duration::from_secs(seconds);
        self.watcher.look(self.now, look)
    }

    fn device(&self, card: &XrtCard) -> Device {
        find(&self.watcher.discovery(), &card.user()).clone()
    }

    fn is_healthy(&self, card: &XrtCard) -> bool {
        self.device(card).health.is_healthy()
    }
}

#[test]
fn a_machine_at_rest_has_nothing_new() {
    let mut watch = Watch::of(&[XrtCard::u250(4), XrtCard::u200(5)]);
    assert!(!watch.quick(2));
    assert!(!watch.look(2, Look::Whole));
}

#[test]
fn a_card_that_goes_offline_is_sick_at_once_and_well_after_three_good_readings() {
    let card = XrtCard::u250(4);
    let mut watch = Watch::of(std::slice::from_ref(&card));
    watch.machine.set(&card.user(), "dev_offline", "1");
    assert!(watch.quick(2) && !watch.is_healthy(&card));
    watch.machine.set(&card.user(), "dev_offline", "0");
    watch.quick(2);
    watch.quick(2);
    assert!(!watch.is_healthy(&card), "two good readings are not enough");
    assert!(watch.quick(2) && watch.is_healthy(&card));
}

#[test]
fn a_driver_that_is_not_ready_has_ten_seconds() {
    let card = XrtCard::u250(4);
    let mut watch = Watch::of(std::slice::from_ref(&card));
    watch.machine.set(&card.user(), "ready", "0");
    watch.quick(2);
    watch.quick(9);
    assert!(watch.is_healthy(&card));
    watch.quick(2);
    assert!(!watch.is_healthy(&card));
}

#[test]
fn heat_needs_to_go_down_by_five_degrees() {
    let card = XrtCard::u250(4);
    let mut watch = Watch::of(std::slice::from_ref(&card));
    let attribute = "xmc.u.19922944/xmc_fpga_temp";
    for (celsius, healthy) in [("94", true), ("95", false), ("92", false), ("89", true)] {
        watch.machine.set(&card.user(), attribute, celsius);
        for _ in 0..3 {
            watch.look(2, Look::Whole);
        }
        assert_eq!(
            watch.is_healthy(&card),
            healthy,
            "at {celsius} °C: {:?}",
            watch.device(&card).health
        );
    }
}

#[test]
fn new_memory_errors_make_it_sick_and_old_ones_do_not() {
    let card = XrtCard::u250(4);
    let machine_errors = "mig.m.15728640/ecc_ue_cnt";
    let mut watch = Watch::of(std::slice::from_ref(&card));
    watch.machine.set(&card.management(), machine_errors, "2");
    watch.look(2, Look::Whole);
    assert!(!watch.is_healthy(&card));
    watch.machine.set(&card.management(), machine_errors, "0");
    for _ in 0..3 {
        watch.look(2, Look::Whole);
    }
    assert!(watch.is_healthy(&card), "the reset has cleared them");
}

#[test]
fn a_card_that_vanishes_and_comes_back_is_the_same_one() {
    let (card, other) = (XrtCard::u250(4), XrtCard::u250(5));
    let mut watch = Watch::of(&[card.clone(), other.clone()]);
    card.unplug(&watch.machine);
    assert!(watch.quick(2));
    assert_eq!(watch.watcher.discovery().devices.len(), 1);
    assert!(watch.is_healthy(&other));
    card.plug(&watch.machine);
    assert!(watch.quick(2) && watch.is_healthy(&card));
}

#[test]
fn a_card_in_the_middle_of_a_reset_keeps_its_shell_and_its_serial_number() {
    let card = &XrtCard::u30(0x21, "XFL1RT5PHT31")[0];
    let mut watch = Watch::of(std::slice::from_ref(card));
    let before = watch.device(card);
    for gone in ["rom.u.1025", "xmc.u.19922944", "drm"] {
        watch.machine.remove(&card.user(), gone);
        watch.look(2, Look::Whole);
        let now = watch.device(card);
        assert_eq!(
            (&now.id, &now.shell, &now.serial, &now.card),
            (&before.id, &before.shell, &before.serial, &before.card)
        );
        assert!(!now.health.is_healthy(), "without {gone}");
    }
    card.plug(&watch.machine);
    for _ in 0..3 {
        watch.quick(2);
    }
    assert!(watch.is_healthy(card), "{:?}", watch.device(card).health);
}

#[test]
fn a_card_whose_vendor_cannot_be_read_any_more_stays_known() {
    let card = XrtCard::u250(4);
    let mut watch = Watch::of(std::slice::from_ref(&card));
    watch.machine.make_unreadable(&card.user(), "vendor");
    watch.look(2, Look::Whole);
    assert!(!watch.is_healthy(&card));
}

#[test]
fn a_card_whose_driver_hangs_holds_up_no_other() {
    let (hung, other) = (XrtCard::u250(4), XrtCard::u250(5));
    let mut watch = Watch::of(&[hung.clone(), other.clone()]);
    watch.machine.make_hang(&hung.user(), "dev_offline");
    other.unplug(&watch.machine);
    watch.look(2, Look::Whole);
    assert_eq!(
        watch.watcher.discovery().devices.len(),
        1,
        "the other's going was seen"
    );
    other.plug(&watch.machine);
    watch.look(11, Look::Whole);
    assert!(watch.is_healthy(&other));
    match watch.device(&hung).health {
        Health::Sick { reason } => assert!(reason.contains("does not answer"), "{reason}"),
        Health::Healthy => panic!("its driver hangs"),
    }
    watch.machine.let_go(&hung.user(), "dev_offline", "0");
    let begin = Instant::now();
    while !watch.is_healthy(&hung) {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{:?}",
            watch.device(&hung).health
        );
        watch.quick(2);
        std::thread::yield_now();
    }
}

#[test]
fn a_card_that_hangs_from_the_start_is_told_of_and_found_later() {
    let machine = Machine::new();
    let (hung, other) = (XrtCard::u250(4), XrtCard::u250(5));
    hung.plug(&machine);
    other.plug(&machine);
    machine.make_hang(&hung.user(), "rom.u.1025/VBNV");
    let mut watcher = Watcher::new(roots(&machine));
    watcher.look(Instant::now(), Look::Quick);
    let found = watcher.discovery();
    assert!(find(&found, &other.user()).health.is_healthy());
    assert!(found.trouble[0].reason.contains("does not answer"), "{found:?}");
    machine.let_go(&hung.user(), "rom.u.1025/VBNV", &hung.shell);
    let begin = Instant::now();
    while watcher.discovery().devices.len() < 2 {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{:?}",
            watcher.discovery()
        );
        watcher.look(Instant::now(), Look::Quick);
    }
    assert!(watcher.discovery().trouble.is_empty());
}

#[test]
fn a_twin_that_is_plugged_in_later_renames_nothing() {
    let machine = Machine::new();
    machine.plug_icebreaker("1-2", 17, "same");
    let mut watcher = Watcher::new(roots(&machine));
    watcher.look(Instant::now(), Look::Quick);
    machine.plug_icebreaker("1-3", 18, "same");
    watcher.look(Instant::now(), Look::Quick);
    let ids: Vec<_> = watcher
        .discovery()
        .devices
        .into_iter()
        .map(|device| device.id)
        .collect();
    assert_eq!(ids, ["usb-0403:6010-1-3", "usb-0403:6010-same"]);
}

#[test]
fn a_transcoder_whose_number_changes_is_the_same_one() {
    let machine = Machine::new();
    let at = |number| Transcoder {
        number,
        bus_id: "0000:61:00.0".to_owned(),
    };
    at(0).plug(&machine);
    let mut watcher = Watcher::new(roots(&machine));
    watcher.look(Instant::now(), Look::Quick);
    at(0).unplug(&machine);
    at(3).plug(&machine);
    watcher.look(Instant::now(), Look::Quick);
    let found = watcher.discovery();
    let nodes = find(&found, "0000:61:00.0").nodes(&roots(&machine)).unwrap();
    assert_eq!(nodes.user[0].name, "ama_transcoder3");
}
