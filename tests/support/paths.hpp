#pragma once

/// Absolute paths that a test needs. test_paths() in tests/CMakeLists.txt defines those of a program in a generated
/// source of its own, so that the objects of the tests do not depend on the folder of the checkout. A program that uses
/// another one does not link.
namespace support::path {

extern const char* const command;         ///< the tare command
extern const char* const corpus_list;     ///< programs of the corpus, with colons between them
extern const char* const allocated_list;  ///< programs that print what they allocated, likewise
extern const char* const sanitized_list;  ///< objects with the checks of sanitizers, likewise
extern const char* const corpus;          ///< the folder of the programs of the corpus
extern const char* const corpus_sources;
extern const char* const checkout;  ///< what the names of sources in debug information are relative to
extern const char* const daemon;
extern const char* const database;  ///< the script that takes the place of a database
extern const char* const fixtures;
extern const char* const forms;
extern const char* const leak;       ///< the example that leaks
extern const char* const live_list;  ///< programs to look into, with colons between them
extern const char* const live;       ///< their folder
extern const char* const machine_cases;
extern const char* const objects;
extern const char* const peer_tare;
extern const char* const request_cases;
extern const char* const rust_program;
extern const char* const server;
extern const char* const without_coroutines;

}  // namespace support::path
