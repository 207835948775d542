//! Classic BPF from instructions that jump to labels.
//!
//! A conditional jump reaches 255 instructions ahead. One that has to go further is written as a jump over
//! unconditional ones, whose reach is not limited.

use super::CompileError;

/// The most instructions that the kernel takes: `BPF_MAXINSNS`.
pub(super) const MOST: usize = 4096;

/// `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Insn {
    pub(super) code: u16,
    pub(super) yes: u8,
    pub(super) no: u8,
    pub(super) k: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`: a word of `struct seccomp_data` into the accumulator.
pub(super) const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`.
pub(super) const AND: u16 = 0x54;
/// `BPF_RET | BPF_K`.
pub(super) const RETURN: u16 = 0x06;
/// `BPF_JMP | BPF_JA`.
pub(super) const GO: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
pub(super) const IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`, without signs.
pub(super) const IF_GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`, without signs.
pub(super) const IF_GREATER_OR_EQUAL: u16 = 0x35;

/// A place that can be jumped to; forwards only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(usize);

#[derive(Debug, Clone, Copy)]
enum Item {
    Plain(Insn),
    If {
        code: u16,
        k: u32,
        yes: Label,
        no: Label,
    },
    Place(Label),
}

/// A program in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    items: Vec<Item>,
    labels: usize,
}

/// How many instructions a conditional jump takes, and which of its ends need an unconditional one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Shape {
    far_yes: bool,
    far_no: bool,
}

impl Shape {
    fn len(self) -> usize {
        1 + usize::from(self.far_yes) + usize::from(self.far_no)
    }
}

impl Assembly {
    /// A new label, to be placed once, behind every jump to it.
    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// Here it is.
    pub(super) fn place(&mut self, label: Label) {
        self.items.push(Item::Place(label));
    }

    /// An instruction that does not jump.
    pub(super) fn plain(&mut self, code: u16, k: u32) {
        self.items.push(Item::Plain(Insn {
            code,
            yes: 0,
            no: 0,
            k,
        }));
    }

    /// A conditional jump.
    pub(super) fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.items.push(Item::If { code, k, yes, no });
    }

    /// The program.
    ///
    /// # Errors
    /// It is longer than the kernel takes.
    pub(super) fn finish(&self) -> Result<Vec<Insn>, CompileError> {
        // Far above any program that could become short enough: bounds the work below.
        if self.items.len() > 16 * MOST {
            return Err(CompileError::TooLong {
                instructions: self.items.len(),
            });
        }
        let mut shapes = vec![Shape::default(); self.items.len()];
        loop {
            let places = self.places(&shapes);
            // A jump that became long makes others longer, never shorter: this ends.
            if !self.stretch(&mut shapes, &places) {
                return self.write(&shapes, &places);
            }
        }
    }

    /// The position of each label.
    fn places(&self, shapes: &[Shape]) -> Vec<usize> {
        let mut places = vec![usize::MAX; self.labels];
        let mut position = 0;
        for (item, shape) in self.items.iter().zip(shapes) {
            match item {
                Item::Plain(_) => position += 1,
                Item::If { .. } => position += shape.len(),
                Item::Place(Label(label)) => {
                    if let Some(place) = places.get_mut(*label) {
                        *place = position;
                    }
                }
            }
        }
        places
    }

    /// Marks the jumps that are too short; whether there were any.
    fn stretch(&self, shapes: &mut [Shape], places: &[usize]) -> bool {
        let mut position = 0;
        let mut changed = false;
        for (item, shape) in self.items.iter().zip(shapes) {
            match item {
                Item::Plain(_) => position += 1,
                Item::Place(_) => {}
                Item::If { yes, no, .. } => {
                    let far = |label: &Label| {
                        let target = places.get(label.0).copied().unwrap_or(usize::MAX);
                        target.saturating_sub(position + 1) > usize::from(u8::MAX)
                    };
                    let wanted = Shape {
                        far_yes: shape.far_yes || far(yes),
                        far_no: shape.far_no || far(no),
                    };
                    position += shape.len();
                    changed |= wanted != *shape;
                    *shape = wanted;
                }
            }
        }
        changed
    }

    fn write(&self, shapes: &[Shape], places: &[usize]) -> Result<Vec<Insn>, CompileError> {
        let mut program: Vec<Insn> = Vec::with_capacity(self.items.len());
        for (item, shape) in self.items.iter().zip(shapes) {
            match item {
                Item::Plain(insn) => program.push(*insn),
                Item::Place(_) => {}
                Item::If { code, k, yes, no } => {
                    let at = program.len();
                    let offset = |label: &Label, from: usize| {
                        let target = places.get(label.0).copied().unwrap_or(usize::MAX);
                        target.checked_sub(from + 1).ok_or(CompileError::Internal)
                    };
                    let near = |label, far: bool, step| match far {
                        true => Ok(step),
                        false => {
                            u8::try_from(offset(label, at)?).map_err(|_| CompileError::Internal)
                        }
                    };
                    let first = near(yes, shape.far_yes, 0)?;
                    let second = near(no, shape.far_no, u8::from(shape.far_yes))?;
                    program.push(Insn {
                        code: *code,
                        yes: first,
                        no: second,
                        k: *k,
                    });
                    for (label, _) in [(yes, shape.far_yes), (no, shape.far_no)]
                        .iter()
                        .filter(|(_, far)| *far)
                    {
                        let k = offset(label, program.len())?;
                        program.push(Insn {
                            code: GO,
                            yes: 0,
                            no: 0,
                            k: u32::try_from(k).map_err(|_| CompileError::Internal)?,
                        });
                    }
                }
            }
        }
        if program.len() > MOST {
            return Err(CompileError::TooLong {
                instructions: program.len(),
            });
        }
        Ok(program)
    }
}
