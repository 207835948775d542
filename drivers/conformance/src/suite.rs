//! One `#[test]` a rule.

/// Writes a test for every rule of the suite. Takes an expression of a type that is a
/// [`Subject`](crate::Subject); it is evaluated once a test.
#[macro_export]
macro_rules! conformance_suite {
    ($subject:expr) => {
        $crate::conformance_suite! { @each $subject;
            status::exit_zero,
            status::exit_72,
            status::exit_signal,
            status::cmd_not_found,
            status::cmd_not_executable,
            status::timeout_is_told_from_other_kills,
            status::timeout_in_the_future_does_not_matter,
            streams::echo_stdout,
            streams::split_streams,
            streams::stdin_pipe,
            streams::no_stdin,
            streams::stdin_blocked,
            streams::fd_passes_through,
            streams::a_slow_writer_has_all_at_return,
            streams::output_cap_truncates_and_says_so,
            streams::a_stream_of_the_wrong_direction_is_refused,
            hooks::hooks_run_in_order,
            hooks::pre_start_error_aborts,
            hooks::start_error_kills,
            hooks::post_stop_errors_do_not_hide_the_status,
            hooks::post_stop_runs_after_a_failed_start,
            hooks::hooks_are_told_the_process,
            hooks::a_hook_may_kill_its_own_container,
            hooks::a_kill_aborts_a_start,
            hooks::a_panicking_hook_leaves_nothing,
            signals::kill_9,
            signals::harmless_signals_leave_it_running,
            signals::ignored_term_does_not_end_it,
            signals::signalling_what_is_not_there,
            signals::terminate_ends_a_run,
            signals::exec_stop,
            exec::exec_basic,
            exec::exec_without_a_container,
            exec::exec_not_found,
            exec::exec_is_killed_by_its_own_id,
            exec::exec_hooks_are_about_the_exec,
            exec::exec_times_out,
            exec::an_exec_id_is_taken_once,
            ids::id_bad,
            ids::a_live_id_is_taken,
            ids::restart,
            ids::listed_while_it_runs,
            ids::cleaning_nothing_is_fine,
            ids::concurrent,
            pause::pause,
            pause::pause_refuses_exec_and_kill_thaws,
            pause::pause_of_what_does_not_run_is_an_error,
            pause::a_paused_program_makes_no_progress,
            pause::a_paused_container_is_still_read_and_changed,
            pause::a_timeout_ends_a_paused_container,
            pause::terminate_ends_a_paused_container,
            pause::an_exec_is_killed_although_the_container_is_paused,
            limits::stats,
            limits::stats_never_go_back,
            limits::update,
            limits::update_of_what_does_not_run_is_an_error,
            limits::update_changes_what_it_names_and_nothing_else,
            limits::update_is_all_or_nothing,
            limits::a_limit_below_what_is_in_use_is_refused,
            limits::limits_of_a_run_that_no_kernel_takes_start_nothing,
            limits::exec_limits,
            others::resize_non_tty,
            others::bad_commands_start_nothing,
            others::the_driver_names_itself,
        }
    };
    (@each $subject:expr; $($group:ident::$rule:ident,)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::$group::$rule(&$subject);
            }
        )*
    };
}
