//! The contracts are the manual: nothing in them is without a comment.

use std::collections::HashSet;

use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor};

use crate::support::wire::contracts;

/// Everything in a file that a reader can come across, with the paths under which its comments are found.
fn elements(file: &FileDescriptor) -> Vec<(String, Vec<i32>)> {
    let mut elements = Vec::new();
    for service in file.services() {
        elements.push((service.full_name().to_owned(), service.path().to_vec()));
        elements.extend(service.methods().map(|method| (method.full_name().to_owned(), method.path().to_vec())));
    }
    file.messages().for_each(|message| of_message(&message, &mut elements));
    file.enums().for_each(|kind| of_enum(&kind, &mut elements));
    elements
}

fn of_message(message: &MessageDescriptor, elements: &mut Vec<(String, Vec<i32>)>) {
    elements.push((message.full_name().to_owned(), message.path().to_vec()));
    elements.extend(message.fields().map(|field| (field.full_name().to_owned(), field.path().to_vec())));
    message.child_messages().filter(|child| !child.is_map_entry()).for_each(|child| of_message(&child, elements));
    message.child_enums().for_each(|kind| of_enum(&kind, elements));
}

fn of_enum(kind: &EnumDescriptor, elements: &mut Vec<(String, Vec<i32>)>) {
    elements.push((kind.full_name().to_owned(), kind.path().to_vec()));
    elements.extend(kind.values().map(|value| (value.full_name().to_owned(), value.path().to_vec())));
}

#[test]
fn everything_in_the_contracts_has_a_comment() {
    let mut seen = 0;
    let mut bare = Vec::new();
    for file in contracts().files().filter(|file| file.package_name().starts_with("jumak.")) {
        let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
        let commented: HashSet<&[i32]> = locations
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path.as_slice())
            .collect();
        for (name, path) in elements(&file) {
            seen += 1;
            if !commented.contains(path.as_slice()) {
                bare.push(name);
            }
        }
    }
    assert!(seen > 500, "only {seen} elements were looked at");
    assert!(bare.is_empty(), "without a comment: {bare:#?}");
}
