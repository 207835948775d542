//! The limits of setrlimit(2).

use super::PlanError;
use super::steps::Steps;
use crate::wire::Op;
use oci_spec::runtime::{PosixRlimitType, Process};

/// Plans `process.rlimits`.
pub(super) fn plan(process: &Process, steps: &mut Steps) -> Result<(), PlanError> {
    let limits = process.rlimits().as_deref().unwrap_or_default();
    for (index, limit) in limits.iter().enumerate() {
        let (soft, hard, kind) = (limit.soft(), limit.hard(), limit.typ());
        if limits.iter().take(index).any(|other| other.typ() == kind) {
            let field = format!("process.rlimits[{index}].type");
            return Err(PlanError::invalid(field, format!("{kind} is listed twice")));
        }
        if soft > hard {
            let reason = format!("the soft limit {soft} is above the hard limit {hard}");
            return Err(PlanError::invalid(
                format!("process.rlimits[{index}]"),
                reason,
            ));
        }
        let resource = resource(kind);
        let said = |value: u64| match value {
            u64::MAX => "unlimited".to_owned(),
            value => value.to_string(),
        };
        let words = format!("set the limit {kind} to {}:{}", said(soft), said(hard));
        steps.push(
            &Op::Rlimit {
                resource,
                soft,
                hard,
            },
            words,
        );
    }
    Ok(())
}

/// The kernel's number: include/uapi/asm-generic/resource.h.
fn resource(kind: PosixRlimitType) -> u32 {
    match kind {
        PosixRlimitType::RlimitCpu => 0,
        PosixRlimitType::RlimitFsize => 1,
        PosixRlimitType::RlimitData => 2,
        PosixRlimitType::RlimitStack => 3,
        PosixRlimitType::RlimitCore => 4,
        PosixRlimitType::RlimitRss => 5,
        PosixRlimitType::RlimitNproc => 6,
        PosixRlimitType::RlimitNofile => 7,
        PosixRlimitType::RlimitMemlock => 8,
        PosixRlimitType::RlimitAs => 9,
        PosixRlimitType::RlimitLocks => 10,
        PosixRlimitType::RlimitSigpending => 11,
        PosixRlimitType::RlimitMsgqueue => 12,
        PosixRlimitType::RlimitNice => 13,
        PosixRlimitType::RlimitRtprio => 14,
        PosixRlimitType::RlimitRttime => 15,
    }
}
