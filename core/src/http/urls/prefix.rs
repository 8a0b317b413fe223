//! Which patterns can meet one of another owner at all, told by how they begin.
//!
//! Nearly all patterns begin with the name of their extension, so that nothing has to be compiled to tell them apart.

use regex_syntax::hir::literal::Extractor;

/// The indices of the patterns that begin like one of another owner, in ascending order.
pub(super) fn meeting<O: PartialEq>(patterns: &[(O, &str)]) -> Vec<usize> {
    let prefixes: Vec<Vec<u8>> = patterns.iter().map(|(_, pattern)| prefix(pattern)).collect();
    let mut sorted: Vec<usize> = (0..patterns.len()).collect();
    sorted.sort_by_key(|&index| &prefixes[index]);
    let mut meets = vec![false; patterns.len()];
    // Sorted, a prefix stands before all that begin with it, and what stands between them begins with it, too.
    let mut open: Vec<usize> = Vec::new();
    for index in sorted {
        while open.pop_if(|last| !prefixes[index].starts_with(&prefixes[*last])).is_some() {}
        for &other in open.iter().filter(|other| patterns[**other].0 != patterns[index].0) {
            meets[index] = true;
            meets[other] = true;
        }
        open.push(index);
    }
    (0..patterns.len()).filter(|&index| meets[index]).collect()
}

/// What every text begins with that the pattern matches.
fn prefix(pattern: &str) -> Vec<u8> {
    let Ok(hir) = regex_syntax::parse(pattern) else { return Vec::new() };
    Extractor::new().extract(&hir).longest_common_prefix().unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::meeting;

    #[test]
    fn patterns_meet_where_one_begins_like_another() {
        let patterns = [
            ("a", "/a/(?P<id>.)"),
            ("a", "/a/b"),
            ("b", "/b"),
            ("b", "/c/x(?:yz|yy)"),
            ("c", r"/c/xy\w"),
            ("c", "/c/xyx"),
            ("d", "/d/?"),
            ("e", "/d/(?P<id>.*)"),
            ("f", "/f/[ab]"),
            ("g", "/f/(?i)A"),
            ("h", "/f/c"),
        ];
        assert_eq!(meeting(&patterns), [3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(meeting(&[("a", "/x"), ("a", "/x")]), [0; 0]);
        assert_eq!(meeting(&[("a", ".*"), ("b", "/x"), ("a", "/y")]), [0, 1]);
    }
}
