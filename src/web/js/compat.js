/* The Worker's compatibility flags: set once, before its code runs. Names that are on are true, others are absent. */
export const flags = {};

/* On from a date: date:flag, and :opposite where that is not "no_" before the name. */
const FROM_DATE = `
    0000-01-01:r2_public_beta_bindings:r2_internal_beta_bindings
    2021-11-03:formdata_parser_supports_files:formdata_parser_converts_files_to_strings
    2021-11-10:fetch_refuses_unknown_protocols:fetch_treats_unknown_protocols_as_http
    2021-11-10:durable_object_fetch_requires_full_url:durable_object_fetch_allows_relative_url
    2021-11-10:streams_byob_reader_detaches_buffer:streams_byob_reader_does_not_detach_buffer
    2022-01-31:workers_api_getters_setters_on_prototype:workers_api_getters_setters_on_instance
    2022-03-08:no_cots_on_external_fetch:cots_on_external_fetch 2022-03-21:global_navigator 2022-04-05:minimal_subrequests
    2022-06-01:dont_substitute_null_on_type_error:substitute_null_on_type_error 2022-08-04:r2_list_honor_include:
    2022-10-31:url_standard:url_original 2022-10-31:capture_async_api_throws:do_not_capture_async_api_throws
    2022-10-31:export_commonjs_default:export_commonjs_namespace
    2022-11-30:streams_enable_constructors:streams_disable_constructors
    2022-11-30:transformstream_enable_standard_constructor:transformstream_disable_standard_constructor
    2023-03-01:http_headers_getsetcookie 2023-03-01:dynamic_dispatch_tunnel_exceptions:dynamic_dispatch_treat_exceptions_as_500
    2023-03-14:response_redirect_url_standard:response_redirect_url_original 2023-07-01:urlsearchparams_delete_has_value_arg
    2023-08-01:no_cf_botmanagement_default:cf_botmanagement_default 2023-08-01:strict_compression_checks
    2023-08-01:strict_crypto_checks 2023-08-15:web_socket_compression
    2023-11-08:vectorize_query_metadata_optional:vectorize_query_original 2023-12-01:crypto_preserve_public_exponent
    2024-03-04:no_global_importscripts:global_importscripts 2024-03-18:queues_json_messages
    2024-03-26:fetcher_no_get_put_delete:fetcher_has_get_put_delete 2024-04-01:unwrap_custom_thenables 2024-04-03:rpc
    2024-04-29:brotli_content_encoding 2024-05-13:internal_stream_byob_return_view:internal_stream_byob_return_undefined
    2024-06-03:blob_standard_mime_type:blob_legacy_mime_type 2024-06-03:fetch_standard_url:fetch_legacy_url
    2024-09-02:allow_custom_ports:ignore_custom_ports
    2024-09-02:internal_writable_stream_abort_clears_queue:internal_writable_stream_abort_does_not_clear_queue
    2024-09-26:set_tostring_tag:do_not_set_tostring_tag 2024-10-14:handle_cross_request_promise_resolution
    2024-10-14:upper_case_all_http_methods 2024-11-11:cache_option_enabled:cache_option_disabled
    2024-12-02:disable_top_level_await_in_require:enable_top_level_await_in_require
    2024-12-16:fixup-transform-stream-backpressure:original-transform-stream-backpressure 2025-03-10:unique_ctx_per_invocation:
    2025-04-01:assets_navigation_prefers_asset_serving:assets_navigation_has_no_effect
    2025-04-02:request_cf_overrides_cache_rules 2025-04-19:cache_api_compat_flags
    2025-05-01:urlpattern_standard:urlpattern_original 2025-05-05:enable_weak_ref:disable_weak_ref
    2025-05-19:cache_api_request_cf_overrides_cache_rules 2025-05-19:enable_navigator_language:disable_navigator_language
    2025-06-01:allow_eval_during_startup:disallow_eval_during_startup
    2025-06-16:bind_asynclocalstorage_snapshot_to_request:do_not_bind_asynclocalstorage_snapshot_to-request
    2025-06-16:throw_on_unrecognized_import_assertion:ignore_unrecognized_import_assertion 2025-08-01:set_event_target_this
    2025-08-01:set_forwardable_email_full_headers:set_forwardable_email_single_headers 2025-08-15:expose_global_message_channel
    2025-09-01:strip_authorization_on_cross_origin_redirect:retain_authorization_on_cross_origin_redirect
    2025-09-20:enable_validate_workflow_entrypoint:disable_validate_workflow_entrypoint
    2025-11-17:enable_ctx_exports:disable_ctx_exports 2025-12-03:enable_fast_jsg_struct:disable_fast_jsg_struct
    2026-01-13:strip_bom_in_read_all_text:do_not_strip_bom_in_read_all_text
    2026-01-20:rpc_params_dup_stubs:rpc_params_transfer_stubs 2026-01-22:require_returns_default_export:require_returns_namespace
    2026-02-19:fetch_iterable_type_support 2026-02-24:text_decoder_replace_surrogates:disable_text_decoder_replace_surrogates
    2026-02-24:delete_all_deletes_alarm:delete_all_preserves_alarm 2026-03-03:unhandled_rejection_after_microtask_checkpoint
    2026-03-03:text_decoder_cjk_decoder:disable_text_decoder_cjk_decoder 2026-03-03:websocket_close_reason_byte_limit
    2026-03-12:queue_expose_error_codes 2026-03-17:websocket_standard_binary_type
    2026-03-24:writable_stream_spec_compliant_writer 2026-03-24:encoder_stream_spec_compliant_backpressure
    2026-04-01:containers_pid_namespace 2026-04-07:web_socket_auto_reply_to_close:web_socket_manual_reply_to_close
    2026-04-21:enhanced_error_serialization:legacy_error_serialization
    2026-05-14:workflows_preserve_non_retryable_error_message:workflows_replace_non_retryable_error_message
    2026-05-19:diagnostics_channel_has_subscribers_getter 2026-06-16:throw_on_not_implemented_tls_options
    2026-08-04:nodejs_compat 2026-08-04:nodejs_compat_v2
    2026-08-11:workflows_enable_fast_engine_creation:workflows_disable_fast_engine_creation`;

/* On from a date when one of others is: date:flag:others. */
const IMPLIED = `
    2024-09-23:nodejs_zlib:nodejs_compat|nodejs_compat_v2 2025-04-01:nodejs_compat_populate_process_env:nodejs_compat
    2025-08-07:cache_no_cache_enabled:cache_option_enabled 2025-08-15:enable_nodejs_http_modules:nodejs_compat
    2025-09-01:enable_nodejs_http2_module:nodejs_compat 2025-09-01:enable_nodejs_http_server_modules:enable_nodejs_http_modules
    2025-09-01:remove_nodejs_compat_eol_v23:remove_nodejs_compat_eol_v24 2025-09-01:remove_nodejs_compat_eol:nodejs_compat
    2025-09-15:enable_nodejs_fs_module:nodejs_compat 2025-09-15:enable_nodejs_os_module:nodejs_compat
    2025-09-15:enable_nodejs_process_v2:nodejs_compat 2025-09-21:enable_nodejs_console_module:nodejs_compat
    2025-10-01:enable_nodejs_vm_module:nodejs_compat 2025-12-04:enable_nodejs_cluster_module:nodejs_compat
    2025-12-04:enable_nodejs_domain_module:nodejs_compat 2025-12-04:enable_nodejs_punycode_module:nodejs_compat
    2025-12-04:enable_nodejs_trace_events_module:nodejs_compat 2025-12-04:enable_nodejs_wasi_module:nodejs_compat
    2026-01-15:fetch_iterable_type_support_override_adjustment:fetch_iterable_type_support
    2026-01-29:enable_nodejs_dgram_module:nodejs_compat 2026-01-29:enable_nodejs_inspector_module:nodejs_compat
    2026-01-29:enable_nodejs_sqlite_module:nodejs_compat 2026-01-29:enable_nodejs_stream_wrap_module:nodejs_compat
    2026-02-10:enable_nodejs_global_timers:nodejs_compat 2026-03-17:enable_global_performance_classes:nodejs_compat
    2026-03-17:enable_nodejs_child_process_module:nodejs_compat 2026-03-17:enable_nodejs_perf_hooks_module:nodejs_compat
    2026-03-17:enable_nodejs_readline_module:nodejs_compat 2026-03-17:enable_nodejs_repl_module:nodejs_compat
    2026-03-17:enable_nodejs_tty_module:nodejs_compat 2026-03-17:enable_nodejs_v8_module:nodejs_compat
    2026-03-17:enable_nodejs_worker_threads_module:nodejs_compat 2027-04-30:remove_nodejs_compat_eol_v22:remove_nodejs_compat_eol
    2028-04-30:remove_nodejs_compat_eol_v24:remove_nodejs_compat_eol`;

/* Only when asked for. */
const ASKED = `
    html_rewriter_treats_esi_include_as_void_tag experimental durable_object_get_existing service_binding_extra_handlers rtti_api
    unsafe_module js_rpc nodejs_als global_fetch_strictly_public new_module_registry kv_direct_binding
    increase_websocket_message_size replica_routing memory_cache_delete nonclass_entrypoint_reuses_ctx_across_invocations
    queue_consumer_no_wait_for_wait_until disallow_importable_env request_signal_passthrough enable_web_file_system
    enable_abortsignal_rpc enable_request_signal connect_pass_through unsupported_process_actual_platform pedantic_wpt
    typescript_strip_types allow_insecure_inefficient_logged_eval enable_email_sending_queuing cache_reload_enabled
    enable_streams_nodejs_v24_compat immutable_api_prototypes env_module_nullable_support precise_timers
    allow_irrevocable_stub_storage streams_no_default_auto_allocate_chunk_size enable_version_api
    spec_compliant_property_attributes enable_ctx_version_metadata no_resizable_array_buffer_in_blob workflows_step_rollback
    auto_grpc_convert enable_nodejs_inspector_local_dev d1_binding_jsrpc workflows_bindings_rpc typescript_implemented_streams
    expose_draining_reader wasm_memory_discard durable_object_rename durable_object_alarms
    tcp_sockets_support webgpu enable_d1_with_sessions_api tail_worker_user_spans streaming_tail_worker
    cache_option_preserves_cache_control connect_handler_starttls durable_object_io_tasks_prevent_eviction durable_object_snapshots
    expose_serialization_test_class nodejs_process_version_24 offpeak_location_hint pipe_to_backward_propagation r2_binding_jsrpc
    rpc_dispose_cancels_call spec_compliant_dispatch_exceptions temporal wasm_esm_integration_builtins wasm_source_url_support
    webcrypto_modern_algorithms`;

/* The opposite of flags that are named after a module or begin otherwise. */
const oppositeOf = (name) => (name.startsWith("enable_") ? name.replace("enable_", "disable_") : `no_${name}`);
const words = (text) => text.trim().split(/\s+/);

const rowsOf = (text) => words(text).map((row) => row.split(":"));
let fromDate = null, implied = null; // the tables, read when a spare warms up

export function setFlags(date, given) {
    fromDate ??= rowsOf(FROM_DATE);
    implied ??= rowsOf(IMPLIED);
    for (const name of Object.keys(flags)) delete flags[name]; // of the Worker that only warmed us up
    for (const name of given) flags[name] = true;
    for (const [since, name, opposite = `no_${name}`] of fromDate)
        if (date >= since && !flags[opposite]) flags[name] = true;
    for (const [since, name, others] of implied)
        if (date >= since && !flags[oppositeOf(name)] && others.split("|").some((other) => flags[other])) flags[name] = true;
    reflection = null;
}

let reflection = null;

/* Cloudflare.compatibilityFlags: every flag that turns something on, and whether it is. */
export function reflectFlags() {
    if (reflection !== null) return reflection;
    reflection = Object.create(null);
    const names = [...words(FROM_DATE), ...words(IMPLIED)].map((row) => row.split(":")[1]).concat(words(ASKED));
    for (const name of names) reflection[name] = flags[name] === true;
    return Object.freeze(reflection);
}
