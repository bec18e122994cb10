//! Statements about many rows, with few texts.
//!
//! A connection keeps the statements that it has prepared by their text, a bounded number of them. A list that is written out as long as it
//! is makes a text of each length: each is prepared once more, and drives out one that every call needs. So PostgreSQL gets a list as one
//! value, and the others get one whose length is a power of two.

use sea_orm::{
    ColumnTrait, DbBackend,
    sea_query::{ExprTrait, SimpleExpr, extension::postgres::PgFunc},
};
use uuid::Uuid;

/// That `column` is one of `ids`.
pub fn is_one_of(column: impl ColumnTrait, ids: &[Uuid], backend: DbBackend) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => column.into_expr().eq(PgFunc::any(ids.to_vec())),
        _ => column.is_in(padded(ids)),
    }
}

/// The list, and its last item again and again until its length is a power of two: for statements to which an item twice is an item once.
pub fn padded<T: Clone>(list: &[T]) -> Vec<T> {
    let length = list.len().next_power_of_two();
    let again = list.last().into_iter().cycle().cloned();
    list.iter().cloned().chain(again).take(if list.is_empty() { 0 } else { length }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_length_have_few_lengths() {
        assert_eq!(padded(&[1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert!(padded::<i32>(&[]).is_empty());
        let lengths: std::collections::BTreeSet<_> = (1..=256).map(|length| padded(&vec![0; length]).len()).collect();
        assert_eq!(lengths.len(), 9);
    }
}
