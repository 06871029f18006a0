// A shared object that is something else.
extern "C" int somethingElse() { return 0; }
