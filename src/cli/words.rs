//! What help says on Windows, where containers and examples are others.

/// What `run --help` says first.
pub(crate) const RUN: &str = "\
Run a program in a new container and wait for its end.

Where the host has the compute service (HCS), a container has layers, a network and an isolation of
its own, which --command says. Without it, or with --exec-opt windows.backend=job, the container is
a job: its processes are limited, counted and ended together, but see EVERY FILE THAT YOU CAN READ
OR WRITE, your network and your registry. `execdriver doctor` says what this host does. Flags that
ask for more than that are refused.

The first Ctrl-C or Ctrl-Break is handed on to the program, a second one that it has not heard ends
it. With -t the size of the program's terminal follows yours, and with -it every key, Ctrl-C too,
goes to the program.";

/// What `run --help` says last.
pub(crate) const RUN_EXAMPLES: &str = r"Examples:
  execdriver run -- cmd /c echo hello                     a program of this machine
  execdriver run --memory 64m --timeout 10s -- job.exe    with limits
  execdriver run --id web -it -- powershell               with a terminal
  execdriver run --command web.json                       with layers, as the compute service has them

Exit code: the program's own, all 32 bits of it; 137 when it was killed; 124 when --timeout ended it;
125 when it could not be started, 126 when it cannot be executed, 127 when it was not found; 2 for a
wrong command line.";

/// What `exec --help` says last.
pub(crate) const EXEC_EXAMPLES: &str = "\
Without --env the program has the container's environment.

Examples:
  execdriver exec -it web -- cmd
  execdriver exec --memory 64m --pids-limit 20 web -- job.exe    in a job of its own

Exit code: as of `run`; 125 also when the container does not run.";

/// What `--help` says last.
pub(crate) const ALL: &str = "\
Examples:
  execdriver run -- cmd /c echo hello
  execdriver run --id web -it -- powershell
  execdriver exec -it web -- cmd
  execdriver list --format json

Exit codes of `run` and `exec`: the program's own (137 when it was killed); 124 when --timeout ended
it; 125 when it could not be started, 126 when the program cannot be executed, 127 when it was not
found. All other verbs: 0, or 1 on an error; 2 for a wrong command line.";
