//! Places on the map, and their distances.
//!
//! A place is kept as the point that it is on a unit sphere, and distance as the square of the straight line (the chord) between
//! two such points. It grows as the way over the ground does, needs nothing but `+ - *`, which every database computes alike, and
//! knows no poles and no date line.

/// The mean radius of the earth.
const EARTH_RADIUS_METERS: f64 = 6_371_008.8;

/// A place on the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees north, −90 to 90.
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    pub longitude: f64,
}

impl Point {
    /// The point on a unit sphere: towards 0° N 0° E, towards 0° N 90° E, towards the north pole.
    pub fn on_unit_sphere(self) -> [f64; 3] {
        let (sin_latitude, cos_latitude) = self.latitude.to_radians().sin_cos();
        let (sin_longitude, cos_longitude) = self.longitude.to_radians().sin_cos();
        [cos_latitude * cos_longitude, cos_latitude * sin_longitude, sin_latitude]
    }
}

/// The squared chord between two points on the unit sphere, 0 to 4; in the order of operations in which the database does it, so
/// that both get the same to the last bit.
pub fn chord_squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2])
}

/// The squared chord of a distance in metres.
pub fn chord_squared_of(meters: u32) -> f64 {
    let chord = 2.0 * (f64::from(meters) / (2.0 * EARTH_RADIUS_METERS)).sin();
    chord * chord
}

/// The distance in metres of a squared chord, rounded.
pub fn meters(chord_squared: f64) -> u32 {
    let half_chord = (chord_squared.sqrt() / 2.0).min(1.0);
    // Half the earth's circumference at most: far from the end of u32.
    (2.0 * EARTH_RADIUS_METERS * half_chord.asin()).round() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEOUL: Point = Point { latitude: 37.5665, longitude: 126.978 };
    const BUSAN: Point = Point { latitude: 35.1796, longitude: 129.0756 };

    fn distance(a: Point, b: Point) -> u32 {
        meters(chord_squared(a.on_unit_sphere(), b.on_unit_sphere()))
    }

    #[test]
    fn busan_is_325_kilometres_from_seoul() {
        assert!((324_000..326_000).contains(&distance(SEOUL, BUSAN)), "{}", distance(SEOUL, BUSAN));
    }

    #[test]
    fn the_date_line_and_the_poles_are_no_borders() {
        let west = Point { latitude: 0.0, longitude: 179.999 };
        let east = Point { latitude: 0.0, longitude: -179.999 };
        assert_eq!(distance(west, east), 222);
        let pole = Point { latitude: 90.0, longitude: 12.0 };
        assert_eq!(distance(pole, Point { longitude: -99.0, ..pole }), 0);
    }

    proptest! {
        #[test]
        fn metres_survive_the_chord(wanted in 0_u32..=20_000_000) {
            prop_assert!(meters(chord_squared_of(wanted)).abs_diff(wanted) <= 1);
        }
    }
}
