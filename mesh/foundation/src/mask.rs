//! Which fields of a resource an update changes: those that its `update_mask` names or, without one, those in which it says
//! something.

use crate::{error::shown, fields::Fields};

/// One field of `M`.
pub struct MaskField<M> {
    /// Its name in the contract.
    pub path: &'static str,
    /// Whether two messages differ in it.
    pub differs: fn(&M, &M) -> bool,
    /// Empties it.
    pub clear: fn(&mut M),
}

/// The fields of `M` that an update may change, told once with [`mask!`](crate::mask!).
pub struct Mask<M: 'static>(pub &'static [MaskField<M>]);

/// The [`Mask`] of these fields of a message.
#[macro_export]
macro_rules! mask {
    ($message:ty: $($field:ident),* $(,)?) => {
        $crate::mask::Mask(&[$($crate::mask::MaskField::<$message> {
            path: stringify!($field),
            differs: |a, b| a.$field != b.$field,
            clear: |message| message.$field = Default::default(),
        }),*])
    };
}

impl<M: Default> Mask<M> {
    /// The fields in which `message` says something.
    pub fn set(&self, message: &M) -> Vec<&'static str> {
        let nothing = M::default();
        self.0.iter().filter(|field| (field.differs)(message, &nothing)).map(|field| field.path).collect()
    }

    /// The fields that an update with `mask` changes, in their own order; `*` names all of them.
    pub fn named(&self, fields: &mut Fields, message: &M, mask: &[String]) -> Vec<&'static str> {
        for path in mask {
            let known = path == "*" || self.0.iter().any(|field| field.path == path);
            let what = || format!("names `{}`, which is no field that can be changed", shown(path));
            fields.check(known, "update_mask", what());
        }
        if mask.is_empty() {
            return self.set(message);
        }
        let is_named = |path: &str| mask.iter().any(|named| named == path || named == "*");
        self.0.iter().map(|field| field.path).filter(|path| is_named(path)).collect()
    }

    /// Empties all of these fields but those.
    pub fn keep(&self, message: &mut M, paths: &[&str]) {
        self.0.iter().filter(|field| !paths.contains(&field.path)).for_each(|field| (field.clear)(message));
    }

    /// Empties those of these fields that say what `plain` says.
    pub fn leave_out(&self, message: &mut M, plain: &M) {
        for field in self.0 {
            if !(field.differs)(message, plain) {
                (field.clear)(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::types::v1::{PaymentAction, PaymentMethod};

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Thing {
        name: String,
        units: Option<i32>,
        words: Vec<String>,
        fixed: i32,
    }

    const MASK: Mask<Thing> = crate::mask!(Thing: name, units, words);

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

    #[test]
    fn a_mask_is_made_of_any_message() {
        let mask: Mask<PaymentAction> = crate::mask!(PaymentAction: uri, expire_time);
        assert_eq!(mask.set(&PaymentAction { uri: "x".to_owned(), expire_time: None }), ["uri"]);
        let mask: Mask<PaymentMethod> = crate::mask!(PaymentMethod: token);
        assert!(mask.set(&PaymentMethod::default()).is_empty());
    }
}
