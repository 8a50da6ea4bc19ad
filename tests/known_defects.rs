//! What has gone wrong in tools that distribute pull Secrets, and which test shows that it does not go wrong here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;

use rstest::rstest;

#[rstest]
#[case::managed_copies_are_refused_and_foreign_secrets_written(&[
    "copies/following::a_copy_follows_its_source_in_place",
    "copies/untouched::anothers_secret_is_the_same_after_a_credential_was_created_changed_and_deleted",
])]
#[case::a_rotation_deletes_and_creates_and_pods_in_between_find_nothing(&[
    "copies/rotation::rotation_while_pods_are_created_changes_the_copy_in_place_and_at_no_moment_is_there_none",
])]
#[case::a_copy_is_never_updated_and_a_failed_write_counts_as_done(&[
    "copies/following::a_copy_follows_its_source_in_place",
    "copies/rotation::a_change_of_a_copy_that_was_refused_is_tried_again",
])]
#[case::the_sources_own_namespace_is_written(&[
    "copies/untouched::a_source_is_left_as_it_is_also_when_its_own_namespace_is_offered_a_copy_of_its_name",
])]
#[case::the_first_pass_refuses_what_the_second_one_forces(&[
    "races/conflict::a_foreign_secret_is_asked_about_once_per_back_off_and_left_as_it_is",
    "copies/conflicts::what_is_there_is_left_or_taken_over_as_the_credential_says_and_stays_when_the_credential_goes",
])]
#[case::one_terminating_namespace_stops_the_whole_pass(&[
    "copies/spreading::one_terminating_namespace_does_not_keep_the_others_from_their_copies",
])]
#[case::the_configuration_is_read_for_every_pod(&[
    "copies/watching::pods_of_a_namespace_that_has_its_copy_cost_no_call",
    "modules/configuration::a_changed_file_is_taken_up_once_by_every_server_and_a_bad_one_is_told_of_and_left",
])]
#[case::an_empty_pattern_matches_everything(&[
    "copies/untouched::a_pattern_that_is_empty_or_blank_is_refused_and_never_means_everything",
])]
#[case::one_server_that_fails_closed_and_reads_the_api_for_each_pod(&[
    "manifests/registration::what_judges_modules_and_keeps_secrets_in_use_fails_closed_and_everything_else_open_and_soon",
    "manifests/workload::a_rolling_update_never_has_fewer_servers_and_a_drained_node_takes_one_at_most",
    "copies/watching::pods_of_a_namespace_that_has_its_copy_cost_no_call",
])]
#[case::a_watch_that_ends_is_not_begun_again_and_shows_only_what_is_new(&[
    "copies/watching::watches_that_are_cut_and_find_their_past_gone_see_what_was_created_changed_and_deleted",
])]
#[case::only_the_first_container_counts(&[
    "admission/pods::two_credentials_in_one_pod_are_both_there_sorted_by_name",
    "admission/pods::a_private_image_of_an_init_container_alone_suffices",
    "admission/pods::a_private_image_of_a_volume_alone_suffices",
])]
#[case::a_foreign_secret_of_the_name_is_overwritten_and_later_deleted(&[
    "copies/untouched::anothers_secret_is_the_same_after_a_credential_was_created_changed_and_deleted",
])]
#[case::copies_survive_the_deletion_of_what_they_were_made_for(&[
    "copies/spreading::copies_go_with_their_credential",
    "copies/conflicts::a_credential_that_is_deleted_while_nothing_of_ours_runs_leaves_no_copy_and_what_was_anothers",
])]
#[case::a_source_is_asked_for_that_has_just_gone_and_each_credential_has_its_own_watch(&[
    "copies/watching::a_source_that_is_deleted_is_not_asked_for",
    "copies/watching::the_number_of_watches_does_not_grow_with_credentials",
])]
#[case::two_replicas_write_because_nobody_leads(&[
    "leadership/handover::one_of_two_leads_and_goes_on_leading_and_another_when_it_has_gone",
])]
fn a_defect_of_others_is_shown_not_to_be_here(#[case] tests: &[&str]) {
    for test in tests {
        let (file, name) = test.rsplit_once("::").unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let place = lines.iter().position(|line| line.contains(&format!("fn {name}(")));
        let place = place.unwrap_or_else(|| panic!("{test} is no more: which test shows it now?"));
        // A function that the test runner does not run shows nothing.
        let attributes: Vec<_> =
            lines[..place].iter().rev().take_while(|line| line.starts_with('#')).collect();
        let is_run = |line: &&&str| line.contains("test]") || line.contains("::test(");
        assert!(attributes.iter().any(is_run), "{test} is no test");
        assert!(!attributes.iter().any(|line| line.contains("ignore")), "{test} is not run");
    }
}
