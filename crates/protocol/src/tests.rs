//! Both ways, with everything that a console does to lines, and with guests that mean harm.

use nex_testkit::noise::Random;

use crate::*;

fn output(text: &[u8], line_ends: bool) -> Event {
    let text = text.to_vec();
    Event::Output(Output { source: Source::Workload, stream: Stream::Out, uptime_ms: 812, text, line_ends })
}

fn lines(events: &[Event]) -> Vec<u8> {
    let (mut encoder, mut lines) = (Encoder::new(), Vec::new());
    events.iter().for_each(|event| encoder.encode(event, &mut lines));
    lines
}

fn decode(console: &[u8]) -> Vec<Item> {
    let mut decoder = Decoder::new();
    let mut items = decoder.push(console);
    items.extend(decoder.finish());
    items
}

fn events(items: Vec<Item>) -> Vec<Event> {
    items.into_iter().filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None }).collect()
}

/// One event of each kind, and of each shape that a kind has.
fn one_of_each() -> Vec<Event> {
    let version = String::from("0.1.0");
    let text = |text: &[u8]| Text { uptime_ms: 5, text: text.to_vec() };
    let exit = |source, end, restart_ms| Event::Exit(Exit { source, end, uptime_ms: 9, restart_ms });
    let mut events = vec![
        Event::Start(Start { version: version.clone(), role: Role::Initramfs, uptime_ms: 1 }),
        Event::Start(Start { version: "1 #2.x\n".into(), role: Role::Overlay, uptime_ms: 1 }),
        Event::Ready(Ready { version: version.clone(), role: Role::Init, start_ms: 2, uptime_ms: u64::MAX }),
        Event::Ready(Ready { version, role: Role::Service, start_ms: 2, uptime_ms: 3 }),
        Event::Dropped { bytes: 77 },
        exit(Source::Workload, Ended::Code(0), None),
        exit(Source::Workload, Ended::Signal(9), Some(1000)),
        exit(Source::BootScript, Ended::Unstarted(127), None),
        Event::Handover { uptime_ms: 7 },
        Event::Fail(text(b"cannot mount /proc: \xff\n@nex1 ready")),
        Event::Note(text(b"")),
        Event::End(MachineEnd { by: EndBy::PowerOff, uptime_ms: 10 }),
        Event::End(MachineEnd { by: EndBy::Reset, uptime_ms: 10 }),
    ];
    for source in [Source::Workload, Source::BootScript] {
        for stream in [Stream::Out, Stream::Err] {
            for line_ends in [true, false] {
                let text = b" a # b #1.0000 ".to_vec();
                events.push(Event::Output(Output { source, stream, uptime_ms: 4, text, line_ends }));
            }
        }
    }
    events
}

#[test]
fn lines_look_as_documented() {
    let mut written = lines(&one_of_each()[2..3]);
    written.extend(lines(&[output(b"hello\tworld", true)]));
    let expected = "@nex1 ready version=0.1.0 role=init start_ms=2 uptime_ms=18446744073709551615 #1.1122\n\
                    @nex1 out 812 hello\\tworld #1.ddce\n";
    assert_eq!(String::from_utf8_lossy(&written), expected);
}

#[test]
fn every_event_comes_back() {
    let sent = one_of_each();
    assert_eq!(decode(&lines(&sent)), sent.into_iter().map(Item::Event).collect::<Vec<_>>());
}

#[test]
fn prefixes_and_ends_of_lines_do_not_matter() {
    let line = lines(&[output(b"x", true)]);
    let line = line.strip_suffix(b"\n").unwrap();
    for (before, after) in [("", "\r\n"), ("[   12.345678] agent[123]: ", "\r\r\n"), ("login: ", ""), ("@nex", "  \n")]
    {
        let console = [before.as_bytes(), line, after.as_bytes()].concat();
        assert_eq!(events(decode(&console)), [output(b"x", true)], "{before:?} {after:?}");
    }
}

#[test]
fn long_texts_are_split_and_lose_nothing() {
    let text: Vec<u8> = (0..=u8::MAX).cycle().take(3 * MAX_TEXT).collect();
    let written = lines(&[output(&text, true)]);
    assert!(written.split(|&byte| byte == b'\n').all(|line| line.len() <= MAX_LINE));
    let mut back = Vec::new();
    let parts = events(decode(&written));
    assert_eq!(parts.len(), 3);
    for part in parts {
        let Event::Output(part) = part else { panic!("output") };
        back.extend(part.text);
        back.extend(part.line_ends.then_some(b'\n'));
    }
    assert_eq!(back, [&text[..], b"\n"].concat());
}

#[test]
fn a_message_of_the_kernel_at_any_place_of_a_line_is_taken_out() {
    let noise = "[    1.234567] random: crng init done\r\n[    1.234568] second\r\n";
    let sent = [output(b"one", true), output(b"two [ and ] three", true), output(b"four", true)];
    let console = String::from_utf8(lines(&sent)).unwrap();
    for place in 0..=console.len() {
        let broken = format!("{}{noise}{}", &console[..place], &console[place..]);
        let items = decode(broken.as_bytes());
        assert_eq!(events(items.clone()), sent, "at {place}: {items:?}");
        for message in noise.lines() {
            assert!(items.contains(&Item::Console(message.as_bytes().to_vec())), "at {place}: {items:?}");
        }
    }
    for (first, second) in [(3, 12), (12, 20), (14, 15), (20, 40)] {
        let broken = format!("{}{noise}{}{noise}{}", &console[..first], &console[first..second], &console[second..]);
        assert_eq!(events(decode(broken.as_bytes())), sent, "at {first} and {second}");
    }
}

#[test]
fn other_damage_is_told() {
    let sent = [output(b"one", true), output(b"two", true), output(b"three", true)];
    let console = String::from_utf8(lines(&sent)).unwrap();
    let all: Vec<&str> = console.lines().collect();

    let cut = format!("{}\n{}{}\n", all[0], &all[1][..12], all[2]);
    let [Item::Event(_), Item::Damaged(part), Item::Lost(1), Item::Event(_)] = &decode(cut.as_bytes())[..] else {
        panic!("{:?}", decode(cut.as_bytes()));
    };
    assert_eq!(part, &all[1].as_bytes()[..12]);

    let missing = format!("{}\n{}\n", all[0], all[2]);
    assert!(decode(missing.as_bytes()).contains(&Item::Lost(1)));

    let twice = format!("{0}\n{1}\n{1}\n{2}\n", all[0], all[1], all[2]);
    assert_eq!(events(decode(twice.as_bytes())), sent);

    // Another process of the agent's counts anew.
    assert_eq!(events(decode(console.repeat(2).as_bytes())).len(), 6);
}

#[test]
fn a_line_of_another_boot_does_not_hide_the_agents_own() {
    let sent = [output(b"one", true), output(b"two", true), output(b"three", true), output(b"four", true)];
    let console = String::from_utf8(lines(&sent)).unwrap();
    let own: Vec<&str> = console.lines().collect();
    let forged = "@nex1 exit code=0 uptime_ms=541 #4.0029";
    let exit = Event::Exit(Exit { source: Source::Workload, end: Ended::Code(0), uptime_ms: 541, restart_ms: None });

    let one = [own[0], forged, own[1], own[2], own[3]].join("\n");
    let event = |event: &Event| Item::Event(event.clone());
    let expected = [
        event(&sent[0]),
        Item::Lost(2),
        event(&exit),
        Item::Back(2),
        event(&sent[1]),
        event(&sent[2]),
        event(&sent[3]),
    ];
    assert_eq!(decode(one.as_bytes()), expected);

    // The same number, and another line.
    let same = [own[0], own[1], own[2], forged, own[3]].join("\n");
    let tail = [event(&exit), Item::Back(4), event(&sent[3])];
    assert_eq!(decode(same.as_bytes())[3..], tail);

    // A whole log of another boot, shown in the middle of this one.
    let old = String::from_utf8(lines(&[(); 40].map(|()| output(b"old", true)))).unwrap();
    let shown = format!("{}\n{}\n{old}{}\n{}\n", own[0], own[1], own[2], own[3]);
    assert_eq!(decode(shown.as_bytes())[42..], [Item::Back(3), event(&sent[2]), event(&sent[3])]);

    // What really came twice does so at a distance too, and is no step back.
    let late = [own[0], own[1], own[2], own[1], own[2], own[3]].join("\n");
    let items = decode(late.as_bytes());
    assert!(!items.iter().any(|item| matches!(item, Item::Back(_) | Item::Lost(_))), "{items:?}");
    assert_eq!(events(items), sent);
}

#[test]
fn each_damaged_byte_of_a_line_is_noticed() {
    let line = lines(&[output(b"hello #1 world", true)]);
    for place in 0..line.len() - 1 {
        for bit in 0..8 {
            let mut damaged = line.clone();
            damaged[place] ^= 1 << bit;
            assert_eq!(events(decode(&damaged)), [], "{}", damaged.escape_ascii());
        }
    }
}

#[test]
fn any_cut_of_the_stream_gives_the_same() {
    let console = lines(&one_of_each());
    let whole = decode(&console);
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut decoder = Decoder::new();
        let mut items: Vec<Item> = console.chunks(size).flat_map(|chunk| decoder.push(chunk)).collect();
        items.extend(decoder.finish());
        assert_eq!(items, whole, "chunks of {size}");
    }
}

#[test]
fn a_line_without_an_end_hides_no_event_behind_it() {
    let mut console = vec![b'.'; 3 * MAX_LINE + 5];
    console.extend(lines(&[output(b"x", true)]));
    let items = decode(&console);
    assert!(items.iter().all(|item| !matches!(item, Item::Console(line) if line.len() > MAX_LINE)));
    assert_eq!(events(items), [output(b"x", true)]);

    let endless = [MARKER, &vec![b'a'; 5 * MAX_LINE]].concat();
    assert!(matches!(&decode(&endless)[0], Item::Damaged(line) if line.len() == MAX_LINE));
}

fn text(random: &mut Random) -> Vec<u8> {
    let parts: [&[u8]; 12] = [
        MARKER,
        b"#",
        b" #3.",
        b"\\",
        b"\\x",
        b"[    1.234567] ",
        b"\r",
        b"\n",
        b"\xff",
        "ü".as_bytes(),
        b"plain",
        b" ",
    ];
    let count = random.below(12);
    (0..count).flat_map(|_| parts[random.below(parts.len())].iter().copied()).collect()
}

#[test]
fn any_text_comes_back_among_any_other_lines() {
    let mut random = Random::new(1);
    for _ in 0..2000 {
        let mut encoder = Encoder::new();
        let (mut console, mut sent) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(8) {
            let event = output(&text(&mut random), random.below(2) == 0);
            encoder.encode(&event, &mut console);
            sent.push(event);
            if random.below(3) == 0 {
                console.extend_from_slice(b"[    9.876543] eth0: link up\r\n");
            }
        }
        let found: Vec<Event> = events(decode(&console));
        assert_eq!(found, sent, "{}", console.escape_ascii());
    }
}

#[test]
fn hostile_consoles_give_items_of_bounded_size_and_lose_no_byte() {
    let mut random = Random::new(2);
    let pieces =
        [lines(&one_of_each()), vec![b'['; 3000], vec![b'@'; 3000], b"\n".to_vec(), vec![0; 5000], MARKER.repeat(900)];
    for _ in 0..300 {
        let mut decoder = Decoder::new();
        let (mut pushed, mut given) = (0, 0);
        for _ in 0..random.below(20) {
            let piece = &pieces[random.below(pieces.len())];
            let from = random.below(piece.len());
            let mut bytes = piece[from..from + random.below(piece.len() - from + 1)].to_vec();
            if !bytes.is_empty() && random.below(2) == 0 {
                let place = random.below(bytes.len());
                bytes[place] = random.byte();
            }
            pushed += bytes.len();
            given += size(&decoder.push(&bytes));
        }
        given += size(&decoder.finish());
        // What is missing are the ends of lines and what stands around the texts of events.
        assert!(given <= pushed, "{given} of {pushed}");
    }
}

fn size(items: &[Item]) -> usize {
    let sizes = items.iter().map(|item| match item {
        Item::Console(line) | Item::Damaged(line) => line.len(),
        Item::Event(Event::Output(output)) => output.text.len(),
        Item::Event(_) | Item::Lost(_) | Item::Back(_) => 0,
    });
    sizes.inspect(|size| assert!(*size <= MAX_LINE)).sum()
}
