// What ThreadSanitizer must be told in every unit test program: Debian's ZeroMQ isn't built with it, so its locks are not
// seen, and what it hands from one of its threads to another looks like a race.

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the sanitizer calls it by this name
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:libzmq.so.5\nrace:libzmq.so.5\n"; }
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
