//! The tree over the numbers of one machine, the conditions on arguments at its leaves, and the verdicts.

use super::CompileError;
use super::assemble::{Assembly, IF_EQUAL, IF_GREATER_OR_EQUAL, Label, RETURN};
use super::rules::{Outcome, Rules, Verdict};
use std::collections::BTreeMap;

/// Appends it; the number is in the accumulator.
pub(super) fn emit(code: &mut Assembly, rules: &Rules) -> Result<(), CompileError> {
    let ranges = rules.ranges();
    // Calls that get the same share the code for it.
    let mut leaves: BTreeMap<&Outcome, Label> = BTreeMap::new();
    let mut verdicts: BTreeMap<Verdict, Label> = BTreeMap::new();
    for (_, outcome) in &ranges {
        let label = match outcome.rules.is_empty() {
            true => of_verdict(code, &mut verdicts, outcome.otherwise),
            false => *leaves.entry(outcome).or_insert_with(|| code.label()),
        };
        leaves.entry(outcome).or_insert(label);
    }
    let places: Vec<(u32, Label)> = (ranges.iter())
        .filter_map(|(start, outcome)| Some((*start, *leaves.get(outcome)?)))
        .collect();
    match *places.as_slice() {
        [] => return Err(CompileError::Internal),
        // A tree of one leaf: always there.
        [(_, only)] => code.branch(IF_GREATER_OR_EQUAL, 0, only, only),
        ref places => branch(code, places),
    }
    for (outcome, label) in &leaves {
        if !outcome.rules.is_empty() {
            code.place(*label);
            conditions(code, outcome, rules, &mut verdicts);
        }
    }
    for (verdict, label) in verdicts {
        code.place(label);
        code.plain(RETURN, verdict);
    }
    Ok(())
}

/// A choice between at least two ranges.
fn branch(code: &mut Assembly, ranges: &[(u32, Label)]) {
    // One number among others that all get the same: one comparison instead of two.
    if let [(_, before), (number, only), (next, behind)] = ranges
        && before == behind
        && next - number == 1
    {
        return code.branch(IF_EQUAL, *number, *only, *before);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some((start, _)) = high.first() else {
        return;
    };
    let side = |code: &mut Assembly, ranges: &[(u32, Label)]| match ranges {
        [(_, only)] => (*only, false),
        _ => (code.label(), true),
    };
    let ((no, low_branches), (yes, high_branches)) = (side(code, low), side(code, high));
    code.branch(IF_GREATER_OR_EQUAL, *start, yes, no);
    if low_branches {
        code.place(no);
        branch(code, low);
    }
    if high_branches {
        code.place(yes);
        branch(code, high);
    }
}

/// The rules in order; each goes on to its verdict or to the next rule.
fn conditions(
    code: &mut Assembly,
    outcome: &Outcome,
    rules: &Rules,
    verdicts: &mut BTreeMap<Verdict, Label>,
) {
    let otherwise = of_verdict(code, verdicts, outcome.otherwise);
    let last = outcome.rules.len();
    for (nth, (conditions, verdict)) in (1..).zip(&outcome.rules) {
        let verdict = of_verdict(code, verdicts, *verdict);
        let next_rule = if nth == last { otherwise } else { code.label() };
        for (nth, condition) in (1..).zip(conditions) {
            if nth == conditions.len() {
                condition.emit(code, rules.machine, verdict, next_rule);
            } else {
                let next = code.label();
                condition.emit(code, rules.machine, next, next_rule);
                code.place(next);
            }
        }
        if nth != last {
            code.place(next_rule);
        }
    }
}

fn of_verdict(
    code: &mut Assembly,
    verdicts: &mut BTreeMap<Verdict, Label>,
    verdict: Verdict,
) -> Label {
    *verdicts.entry(verdict).or_insert_with(|| code.label())
}
