//! What the documentation says of the contexts, against their descriptors and against the tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jumak::{audit::Rule, house::Member};
use local_mesh::step;
use mesh::context::Rank;

use crate::support::contexts::heard;

/// Files that name every context because they tell a story in which each has its part, and no list that a new one has to join.
const STORIES: [&str; 10] = [
    "README.md",
    "docs/adding-a-context.md",
    "scenarios/beyond.rs",
    "scenarios/hotel.rs",
    "scenarios/kill/create.rs",
    "scenarios/support/mod.rs",
    "scenarios/telemetry/traces.rs",
    "services/jumak/src/tools/audit/tests/breaks.rs",
    "services/jumak/src/tools/audit/tests/house.rs",
    "services/jumak/src/tools/audit/tests/live.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The table rows of a text: the cells of each.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect()).collect()
}

/// The words of a text: letters, digits and underscores.
fn words(text: &str) -> BTreeSet<String> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !is_word(letter)).map(str::to_lowercase).collect()
}

/// The contexts that a text names.
fn named(text: &str) -> BTreeSet<Member> {
    let words = words(text);
    Member::ALL.into_iter().filter(|member| words.contains(member.name())).collect()
}

#[tokio::test]
async fn the_table_of_contexts_says_what_the_descriptors_say() {
    let (text, heard) = (read("docs/architecture.md"), heard().await);
    let mut missing: BTreeSet<Member> = Member::ALL.into();
    for row in rows(&text) {
        let [name, rank, _, asks, hears] = row.as_slice() else { continue };
        let Some(member) = Member::named(name.trim_matches('`')) else { continue };
        missing.remove(&member);
        let expected = match member.rank {
            Rank::Core => "core",
            Rank::Supporting => "supporting",
            Rank::Outside => "outside",
        };
        assert_eq!(*rank, expected, "{member}");
        assert_eq!(named(asks), member.callees().collect(), "{member} asks {asks}");
        assert_eq!(named(hears), heard[&member].iter().copied().collect(), "{member} hears {hears}");
    }
    assert_eq!(missing, BTreeSet::new(), "the table does not have them");
}

#[tokio::test]
async fn the_picture_of_contexts_has_each_call_and_whom_each_hears() {
    let text = read("docs/architecture.md");
    let (mut calls, mut hears) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        let (arrows, from, to) = match (line.split_once("-. "), line.split_once("-- ")) {
            (Some((from, rest)), _) => (&mut hears, from, rest.split_once(".-> ")),
            (_, Some((from, rest))) => (&mut calls, from, rest.split_once("--> ")),
            _ => continue,
        };
        if let (Some(from), Some(to)) = (Member::named(from.trim()), to.and_then(|(_, to)| Member::named(to.trim()))) {
            arrows.insert((from, to));
        }
    }
    let called = |member: Member| member.callees().map(move |callee| (member, callee));
    assert_eq!(calls, Member::ALL.into_iter().flat_map(called).collect());
    let heard = heard().await;
    let told = |(member, tellers): (&Member, &Vec<Member>)| {
        tellers.iter().map(|teller| (*teller, *member)).collect::<Vec<_>>()
    };
    assert_eq!(hears, heard.iter().flat_map(told).collect());
}

#[test]
fn the_table_of_ports_is_that_of_the_mesh_on_one_machine() {
    const FIRST: u16 = 8090;
    let text = read("docs/operations.md");
    let rows: BTreeMap<&str, &str> =
        rows(&text).into_iter().filter(|row| row.len() == 3).map(|row| (row[0], row[1])).collect();
    for (port, member) in (FIRST..).zip(Member::ALL) {
        let address = rows.get(member.name()).unwrap_or_else(|| panic!("the table does not have {member}"));
        let address = address.strip_prefix("127.0.0.1:").unwrap_or_else(|| panic!("{member}: {address}"));
        let mut ports = address.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
        assert_eq!(ports.next(), Some(port.to_string().as_str()), "{member}");
        let second = (member.rank != Rank::Outside).then(|| (port + step()).to_string());
        assert_eq!(ports.next(), second.as_deref(), "the second replica of {member}");
    }
}

#[test]
fn the_table_of_the_configuration_has_every_key_of_a_contexts_section() {
    let text = read("docs/operations.md");
    let rows = rows(&text);
    let told: Vec<&str> = rows
        .iter()
        .filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`'))
        .filter(|key| !key.contains('`'))
        .collect();
    for section in Member::ALL.into_iter().filter_map(|member| member.settings) {
        let of_it = told.iter().filter_map(|key| key.strip_prefix(section.name)?.strip_prefix('.'));
        let keys: BTreeSet<&str> = (section.keys)().iter().copied().collect();
        assert_eq!(of_it.collect::<BTreeSet<_>>(), keys, "[{}]", section.name);
    }
}

#[test]
fn the_table_of_rules_has_every_rule_of_the_audit() {
    let text = read("docs/operations.md");
    for rule in Rule::ALL {
        assert!(text.contains(&format!("`{rule}`")), "docs/operations.md does not say what {rule} proves");
    }
}

/// The targets of a text's links, without those to the web and to places within the text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .filter_map(|target| target.split('#').next())
        .filter(|it| !it.is_empty())
}

#[test]
fn every_path_that_the_documentation_links_to_is_there() {
    let root = root();
    let mut texts = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "docs/adr"] {
        let files = fs::read_dir(root.join(folder)).expect("a folder");
        texts.extend(
            files.map(|file| file.expect("a file").path()).filter(|path| path.extension().is_some_and(|it| it == "md")),
        );
    }
    for path in texts {
        let text = fs::read_to_string(&path).expect("a text");
        for target in links(&text) {
            let there = path.parent().expect("a folder").join(target);
            assert!(there.exists(), "{} links to {target}, which is not there", path.display());
        }
    }
}

/// The files that belong to no single context, as paths from the root.
fn shared(folder: &Path, found: &mut Vec<String>) {
    let skipped = ["target", "adr", "CHANGELOG.md", "proto"];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_a_context = path.join("Cargo.toml").exists() && Member::named(&name).is_some();
        if name.starts_with('.') || skipped.contains(&name.as_str()) || is_a_context {
            continue;
        }
        if path.is_dir() {
            shared(&path, found);
        } else if ["rs", "toml", "md"].iter().any(|kind| path.extension().is_some_and(|it| it == *kind))
            || name == "Makefile"
        {
            found.push(path.strip_prefix(root()).expect("within the tree").to_string_lossy().into_owned());
        }
    }
}

#[test]
fn a_file_that_lists_the_contexts_is_in_the_checklist_of_a_new_one() {
    let text = read("docs/adding-a-context.md");
    let checklist: BTreeSet<&str> = links(&text).map(|target| target.trim_start_matches("../")).collect();
    let mut files = Vec::new();
    shared(&root(), &mut files);
    assert!(files.len() > 100, "only {} files were looked at", files.len());
    for file in files {
        // The documentation's own are linked to from their folder.
        let listed = checklist.contains(file.as_str()) || checklist.contains(file.trim_start_matches("docs/"));
        let names_all = named(&read(&file)).len() == Member::ALL.len();
        let is_a_story = STORIES.contains(&file.as_str());
        assert!(names_all || !is_a_story, "{file} no longer names every context: it is no story");
        assert!(
            !names_all || listed || is_a_story,
            "{file} names every context: derive it from `Member::ALL`, or add it to docs/adding-a-context.md"
        );
    }
}

#[test]
fn a_new_context_touches_few_places() {
    let text = read("docs/adding-a-context.md");
    let places = |whom: &str| rows(&text).iter().filter(|row| row.last().is_some_and(|last| *last == whom)).count();
    let (every, cases) = (places("every"), places("with cases"));
    assert!((1..=6).contains(&every), "every context touches {every} places");
    assert!((every..=12).contains(&(every + cases)), "one with cases touches {} places", every + cases);
}
