//! The names and filters in requests.

use contracts::mypage::v1::{
    ListBookingsRequest,
    booking::{Kind, Phase, Role},
};
use mesh::{Refusal, fields::Fields};
use uuid::Uuid;

use crate::store::read::Wanted;

/// The user in `users/{user}/myPage`.
pub fn of_page(name: &str) -> Result<String, Refusal> {
    let mut fields = Fields::new();
    let user = name.strip_suffix("/myPage");
    fields.check(user.is_some_and(|user| !user.is_empty()), "name", "is not a name like users/me/myPage");
    fields.optional_user("name", user.unwrap_or_default());
    fields.finish()?;
    Ok(user.unwrap_or_default().to_owned())
}

/// The user and the case in `users/{user}/bookings/{booking}`; refuses together with the other faults in `fields`.
pub fn of_booking(mut fields: Fields, name: &str) -> Result<(String, Uuid), Refusal> {
    let user = name.split_once("/bookings/").map_or("users/me", |(user, _)| user);
    let mut of_user = Fields::new();
    of_user.optional_user("name", user);
    let is_user = !user.is_empty() && of_user.finish().is_ok();
    // A text that is not a user, of any length, is not repeated in the answer.
    let collection = if is_user { &format!("{user}/bookings") } else { "users/me/bookings" };
    let case_id = fields.name("name", name, collection);
    fields.finish()?;
    Ok((user.to_owned(), case_id.unwrap_or_default()))
}

/// The filters of a list.
pub fn wanted(request: &ListBookingsRequest) -> Result<Wanted, Refusal> {
    let mut fields = Fields::new();
    fields.check(!request.parent.is_empty(), "parent", "is required; it looks like users/me");
    fields.optional_user("parent", &request.parent);
    let role = Role::try_from(request.role).ok();
    fields.check(role.is_some(), "role", "is not a role");
    let kinds: Vec<Kind> = fields.enums("kinds", &request.kinds);
    let phases: Vec<Phase> = fields.enums("phases", &request.phases);
    fields.finish()?;
    Ok(Wanted { role: role.filter(|role| *role != Role::Unspecified), kinds, phases })
}
