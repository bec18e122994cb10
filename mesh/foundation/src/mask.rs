//! The fields of a resource that an update changes: those that its `update_mask` names or, without a mask, those that are set.

use crate::{error::shown, fields::Fields};

/// One field of `M`: its name in the contract, and its accessor.
pub struct Field<M, F>(pub &'static str, pub fn(&mut M) -> &mut F);

/// A [`Field`] of any kind.
pub trait MaskField<M>: Sync {
    /// Its name in the contract.
    fn path(&self) -> &'static str;
    /// Whether two messages differ in it.
    fn differs(&self, a: &mut M, b: &mut M) -> bool;
    /// Empties it.
    fn clear(&self, message: &mut M);
}

impl<M, F: Default + PartialEq> MaskField<M> for Field<M, F> {
    fn path(&self) -> &'static str {
        self.0
    }

    fn differs(&self, a: &mut M, b: &mut M) -> bool {
        (self.1)(a) != (self.1)(b)
    }

    fn clear(&self, message: &mut M) {
        *(self.1)(message) = F::default();
    }
}

/// The fields of `M` that an update may change.
pub struct Mask<M: 'static>(pub &'static [&'static dyn MaskField<M>]);

impl<M: Clone + Default> Mask<M> {
    fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|field| field.path())
    }

    /// The fields that are set in `message`, and the required ones, in their own order.
    pub fn set(&self, message: &M, required: &[&str]) -> Vec<&'static str> {
        let (mut message, mut nothing) = (message.clone(), M::default());
        let mut is_said = |field: &dyn MaskField<M>| field.differs(&mut message, &mut nothing);
        let said = self.0.iter().filter(|field| required.contains(&field.path()) || is_said(**field));
        said.map(|field| field.path()).collect()
    }

    /// The fields that an update with `mask` changes, in their own order; `*` names all of them.
    pub fn named(&self, fields: &mut Fields, message: &M, mask: &[String]) -> Vec<&'static str> {
        for path in mask {
            let known = path == "*" || self.paths().any(|known| known == path);
            let what = || format!("names `{}`, which is not a field that can be changed", shown(path));
            fields.check(known, "update_mask", what());
        }
        if mask.is_empty() {
            return self.set(message, &[]);
        }
        self.paths().filter(|path| mask.iter().any(|named| named == path || named == "*")).collect()
    }

    /// Clears all of these fields except those.
    pub fn keep(&self, message: &mut M, paths: &[&str]) {
        self.0.iter().filter(|field| !paths.contains(&field.path())).for_each(|field| field.clear(message));
    }

    /// Clears those of these fields that equal `plain`'s.
    pub fn leave_out(&self, message: &mut M, plain: &M) {
        let mut plain = plain.clone();
        for field in self.0 {
            if !field.differs(message, &mut plain) {
                field.clear(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Thing {
        name: String,
        units: Option<i32>,
        words: Vec<String>,
        fixed: i32,
    }

    const MASK: Mask<Thing> = Mask(&[
        &Field("name", |thing: &mut Thing| &mut thing.name),
        &Field("units", |thing: &mut Thing| &mut thing.units),
        &Field("words", |thing: &mut Thing| &mut thing.words),
    ]);

    fn thing() -> Thing {
        Thing { name: "a".to_owned(), units: Some(0), words: Vec::new(), fixed: 7 }
    }

    fn named(mask: &[&str]) -> Result<Vec<&'static str>, Vec<String>> {
        let mut fields = Fields::new();
        let mask: Vec<_> = mask.iter().map(|path| (*path).to_owned()).collect();
        let named = MASK.named(&mut fields, &thing(), &mask);
        let faults = |refusal: crate::Refusal| refusal.violations.into_iter().map(|(path, _)| path).collect();
        fields.finish().map(|()| named).map_err(faults)
    }

    #[test]
    fn an_update_changes_what_its_mask_names_or_what_it_says() {
        assert_eq!(named(&[]), Ok(vec!["name", "units"]), "zero units are said, no words are not");
        assert_eq!(named(&["words", "name"]), Ok(vec!["name", "words"]));
        assert_eq!(MASK.set(&Thing::default(), &["units"]), ["units"], "it has to be said");
        assert_eq!(named(&["*"]), Ok(vec!["name", "units", "words"]));
        assert_eq!(named(&["name", "fixed", "nothing"]), Err(vec!["update_mask".to_owned(); 2]));
    }

    #[test]
    fn what_is_not_named_or_is_as_usual_is_left_out() {
        let mut kept = thing();
        MASK.keep(&mut kept, &["units"]);
        assert_eq!(kept, Thing { name: String::new(), ..thing() }, "what is not in the mask stays");
        let mut least = thing();
        MASK.leave_out(&mut least, &Thing { units: Some(0), ..Thing::default() });
        assert_eq!(least, Thing { units: None, ..thing() });
    }
}
