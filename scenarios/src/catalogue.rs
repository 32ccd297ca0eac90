//! Names of songs and artists and the queries that look for them, made from their numbers.
//!
//! Why here: the stack fills its database with these names and the load generator asks for them; both must
//! agree without talking to each other.

const FIRST: [&str; 64] = [
    "Amber",
    "Arctic",
    "Autumn",
    "Azure",
    "Bitter",
    "Blue",
    "Bright",
    "Broken",
    "Burning",
    "Café",
    "Cold",
    "Coral",
    "Crimson",
    "Crystal",
    "Dancing",
    "Dark",
    "Distant",
    "Dusty",
    "Electric",
    "Élan",
    "Empty",
    "Endless",
    "Falling",
    "Fever",
    "Final",
    "First",
    "Flying",
    "Forgotten",
    "Frozen",
    "Gentle",
    "Golden",
    "Green",
    "Hidden",
    "Hollow",
    "Indigo",
    "Infinite",
    "Ivory",
    "Last",
    "Lonely",
    "Lost",
    "Lucky",
    "Midnight",
    "Neon",
    "Northern",
    "Paper",
    "Quiet",
    "Rainy",
    "Restless",
    "Rising",
    "Rolling",
    "Running",
    "Sacred",
    "Scarlet",
    "Secret",
    "Silent",
    "Silver",
    "Slow",
    "Southern",
    "Summer",
    "Velvet",
    "Violet",
    "Wild",
    "Winter",
    "Yellow",
];
const SECOND: [&str; 64] = [
    "Anthem", "Avenue", "Ballad", "Bay", "Bells", "Bird", "Bridge", "Canción", "Canyon", "Carnival", "City",
    "Clouds", "Coast", "Dawn", "Desert", "Dream", "Echo", "Ember", "Engine", "Eyes", "Fields", "Fire",
    "Flowers", "Forest", "Garden", "Ghost", "Harbour", "Heart", "Highway", "Hours", "Island", "Journey",
    "Kingdom", "Lantern", "Letters", "Light", "Lullaby", "Machine", "Memory", "Mirror", "Moon", "Motel",
    "Mountain", "Ocean", "Parade", "Promise", "Radio", "Rain", "River", "Road", "Rooms", "Shadow", "Shore",
    "Signal", "Skyline", "Song", "Stars", "Storm", "Street", "Sun", "Thunder", "Train", "Wave", "Wind",
];
const THIRD: [&str; 32] = [
    "",
    "Again",
    "at Dawn",
    "at Night",
    "Blues",
    "Calling",
    "Forever",
    "for Two",
    "in Berlin",
    "in Colour",
    "in Lagos",
    "in Osaka",
    "in São Paulo",
    "Live",
    "No. 2",
    "of Mine",
    "on Fire",
    "Part II",
    "Reprise",
    "Revisited",
    "Rising",
    "Tonight",
    "to Go",
    "Unplugged",
    "Waltz",
    "with You",
    "without You",
    "Remix",
    "Demo",
    "Interlude",
    "Suite",
    "Dub",
];
const ARTIST: [&str; 48] = [
    "Abena", "Ada", "Akira", "Alma", "Anaïs", "Björn", "Carmen", "Chidi", "Chloë", "Dara", "Diego", "Elif",
    "Emre", "Esther", "Farah", "Fátima", "Gael", "Hana", "Idris", "Inès", "Ivo", "Jasmin", "João", "Kofi",
    "Lena", "Lucía", "Mateo", "Mei", "Milo", "Nadia", "Noor", "Nuno", "Olga", "Omar", "Paloma", "Quentin",
    "Rosa", "Sami", "Selma", "Sofía", "Søren", "Tariq", "Thandi", "Uma", "Viktor", "Wanjiru", "Yuki", "Zoë",
];

/// A well-mixed number belonging to `object` and `salt`.
const fn scatter(object: u64, salt: u64) -> u64 {
    let mut z =
        object.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn pick<'a>(words: &[&'a str], object: u64, salt: u64) -> &'a str {
    words[(scatter(object, salt) % words.len() as u64) as usize]
}

/// Title of a song by its number.
#[must_use]
pub fn title(song: u64) -> String {
    let third = pick(&THIRD, song, 3);
    let space = if third.is_empty() { "" } else { " " };
    format!("{} {}{space}{third}", pick(&FIRST, song, 1), pick(&SECOND, song, 2))
}

/// Artist of a song by its number. Songs share artists.
#[must_use]
pub fn artist(song: u64) -> String {
    format!("{} {}", pick(&ARTIST, song / 7, 4), pick(&SECOND, song / 7, 5))
}

/// Text of a search by its number. Two objects may look for the same thing in other words; the number is
/// part of the text, so that every object is a query of its own.
#[must_use]
pub fn query(object: u64) -> String {
    let by_title = format!("{} {}", pick(&FIRST, object, 1), pick(&SECOND, object, 2));
    match object % 3 {
        0 => format!("{by_title} {object}"),
        1 => format!("{} {object}", pick(&SECOND, object, 2)),
        _ => format!("{} {object}", pick(&ARTIST, object / 7, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn queries_are_distinct_and_names_repeat_exactly() {
        let queries: HashSet<String> = (0..20_000).map(query).collect();
        assert_eq!(queries.len(), 20_000);
        assert_eq!(title(42), title(42));
        let titles: HashSet<String> = (0..10_000).map(title).collect();
        assert!(titles.len() > 9_000, "{}", titles.len());
    }
}
