//! Just enough of robots.txt (RFC 9309) to know whether Google's sender may post to a path. What cannot be read
//! forbids nothing.

/// The name by which Google's sender looks for itself.
const NAME: &str = "apis-google";

/// The rules that apply to Google's sender.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Robots(Vec<(Rule, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Allow,
    Disallow,
}

impl Robots {
    /// Reads a file: the groups for the sender's own name if there are any, else those for everybody.
    pub(super) fn parse(text: &str) -> Robots {
        let (mut own, mut everybody, mut own_seen) = (Vec::new(), Vec::new(), false);
        let (mut names, mut in_rules): (Vec<String>, bool) = (Vec::new(), false);
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("");
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            let rule = match key.as_str() {
                "user-agent" => {
                    if in_rules {
                        names.clear();
                        in_rules = false;
                    }
                    own_seen |= value.eq_ignore_ascii_case(NAME);
                    names.push(value.to_ascii_lowercase());
                    continue;
                }
                "allow" => Rule::Allow,
                "disallow" => Rule::Disallow,
                _ => continue,
            };
            in_rules = true;
            if value.is_empty() {
                continue;
            }
            for name in &names {
                match name.as_str() {
                    NAME => own.push((rule, value.to_owned())),
                    "*" => everybody.push((rule, value.to_owned())),
                    _ => {}
                }
            }
        }
        Robots(if own_seen { own } else { everybody })
    }

    /// Whether the path may be posted to: the longest rule that fits decides, and `Allow` among equals.
    pub(super) fn allow(&self, path: &str) -> bool {
        let fitting = self.0.iter().filter(|(_, prefix)| path.starts_with(prefix.trim_end_matches('*')));
        let best = fitting.max_by_key(|(rule, prefix)| (prefix.len(), *rule == Rule::Allow));
        best.is_none_or(|(rule, _)| *rule == Rule::Allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_decides() {
        let allow = |text: &str, path: &str| Robots::parse(text).allow(path);
        assert!(allow("", "/hook"));
        assert!(!allow("User-agent: *\nDisallow: /", "/hook"));
        assert!(allow("User-agent: *\nDisallow: /\nAllow: /hook", "/hook/1"));
        assert!(allow("User-agent: *\nDisallow: /\n\nUser-agent: APIs-Google\nDisallow:", "/hook"));
        assert!(!allow("User-agent: other\nUser-agent: apis-google\nDisallow: /hook # no", "/hook"));
        assert!(allow("User-agent: other\nDisallow: /", "/hook"));
        assert!(allow("<html>", "/hook"));
    }
}
