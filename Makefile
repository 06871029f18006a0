# Stoa's build. Hand-written and not recursive; `make help` lists what it can do.
#
# What goes into each program is said once, in "Sources". A new file in a folder is picked up without an edit here.
# Settings, the later winning: the defaults below, config.mk (written by configure), local.mk (yours, never
# committed), the command line: `make BUILD=build/asan SANITIZE=address,undefined` builds a variant beside the first.

SHELL = /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL = all

# ---- Settings --------------------------------------------------------------------------------------------------

# Where everything made goes.
BUILD = build
# Optimization and debugging information. Line tables are what a stack trace needs; full -g doubles the link.
OPT = -O2 -g1
# Sanitizers, by the compiler's names, separated by commas; a variant wants a BUILD of its own.
SANITIZE =
# 1 shows whole commands.
V =
# What `make lint` compares with: files changed since then are looked at.
BASE =
# Simulator: seeds of `make test`, further ones of `make check`, and the sizes `make sim` passes on when given.
TEST_SEEDS = 1-50
CHECK_SEEDS = 51-300
SEED = 1
AGENTS =
TASKS =
FAULTS =
# What `make bench` passes on; scripts/bench --help lists it.
BENCH_FLAGS =
# How many test programs run at once.
TEST_JOBS = $(shell nproc)

prefix = /usr/local
bindir = $(prefix)/bin
libdir = $(prefix)/lib
includedir = $(prefix)/include
DESTDIR =

# Goals that do without config.mk: they must work before set-up, or lead to it.
UNCONFIGURED_GOALS = help setup check check-full demo clean distclean format check-format check-style check-layers
ifneq ($(filter-out $(UNCONFIGURED_GOALS),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif
-include local.mk

# All processors, unless the person said otherwise (make's own -j comes later and wins; a sub-make shares ours).
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

CPPFLAGS_ALL = -I. -I$(BUILD)/generated -DSTOA_VERSION='"$(VERSION)"' $(LIB_CPPFLAGS) $(CPPFLAGS)
# g++ 12 takes the moved-from alternatives of a std::variant for uninitialized (GCC bug 105562 and its kin); what that
# warning is for, clang-tidy's analyzer and the sanitizers look at. Of Asio's fences, which ThreadSanitizer doesn't model,
# it warns where they are inlined; what they order goes through locks besides, which it sees.
WARNINGS = -Wall -Wextra -Wno-maybe-uninitialized $(WERROR)$(if $(filter thread,$(SANITIZE)), -Wno-tsan)
SANITIZE_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
CXXFLAGS_ALL = -std=c++20 -fPIC -pthread $(OPT) $(SANITIZE_FLAGS) $(CXXFLAGS)
# The shim is the one program that stays for as long as a task does, and is executed for each container: no C++
# run-time, no shared libraries, small. Linking with the C compiler makes sure of the first.
SHIM_CXXFLAGS = -std=c++20 -Os -g1 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-asynchronous-unwind-tables \
  -ffunction-sections -fdata-sections
# What runs before the C library has started: no call that the compiler makes up, no canary.
SHIM_EARLY_CXXFLAGS = -ffreestanding -fno-stack-protector -fno-tree-loop-distribute-patterns
LDFLAGS_ALL = $(LINKER) -pthread $(SANITIZE_FLAGS) -Wl,--as-needed $(LDFLAGS)

# Q hides commands, and say prints what is done instead, as in `CXX master/core/ledger.o`.
Q = $(if $(V),,@)
say = $(if $(V),,@printf '%-4s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$(patsubst $(BUILD)/obj/%,%,$(2)))')

# ---- Sources ---------------------------------------------------------------------------------------------------

SCHEMAS := $(sort $(wildcard protocol/schema/*.capnp))
SOURCES := $(sort $(shell find protocol allocator master agent frameworks tests docs/examples -name '*.cc' 2>/dev/null))
HEADERS := $(sort $(shell find protocol allocator master agent frameworks tests -name '*.h' 2>/dev/null))
MAINS := $(filter %/main.cc %_main.cc,$(SOURCES))

# Archives, one a part. GENERATED comes from the schemas.
ARCHIVES = protocol allocator master agent sdk batch mpi cli sim testkit
protocol_SOURCES := $(filter protocol/%,$(SOURCES))
allocator_SOURCES := $(filter-out $(MAINS),$(filter allocator/%,$(SOURCES)))
master_SOURCES := $(filter-out $(MAINS),$(filter master/%,$(SOURCES)))
agent_SOURCES := $(filter-out $(MAINS) agent/shim/%,$(filter agent/%,$(SOURCES)))
sdk_SOURCES := $(filter frameworks/sdk/%,$(SOURCES))
batch_SOURCES := $(filter-out $(MAINS),$(filter frameworks/batch/%,$(SOURCES)))
mpi_SOURCES := $(filter frameworks/mpi/%,$(SOURCES))
cli_SOURCES := $(filter-out $(MAINS),$(filter frameworks/cli/%,$(SOURCES)))
sim_SOURCES := $(filter-out $(MAINS),$(filter tests/sim/%,$(SOURCES)))
testkit_SOURCES := $(filter tests/testkit/%,$(SOURCES))

GENERATED := $(SCHEMAS:%=$(BUILD)/generated/%.h)

# Programs: the file with main(), and the archives it is linked with, a user before what it uses.
PROGRAMS = stoa-master stoa-agent stoa-batch stoa stoa-allocator-check stoa-sim
stoa-master_MAIN = master/main.cc
stoa-master_ARCHIVES = master allocator protocol
stoa-agent_MAIN = agent/main.cc
stoa-agent_ARCHIVES = agent protocol
stoa-batch_MAIN = frameworks/batch/main.cc
stoa-batch_ARCHIVES = batch sdk protocol
stoa_MAIN = frameworks/cli/main.cc
stoa_ARCHIVES = cli batch mpi sdk protocol
stoa-allocator-check_MAIN = allocator/check_main.cc
stoa-allocator-check_ARCHIVES = master allocator protocol
stoa-sim_MAIN = tests/sim/main.cc
stoa-sim_ARCHIVES = sim master agent batch sdk allocator protocol

SHIM_SOURCES := $(filter agent/shim/%,$(SOURCES))

# Unit tests: one program a folder of tests/unit, since linking is what costs; with what it is linked with.
UNIT_FOLDERS := $(sort $(foreach s,$(filter tests/unit/%,$(SOURCES)),$(word 3,$(subst /, ,$(s)))))
protocol_TESTED = protocol
allocator_TESTED = allocator protocol
master_TESTED = master allocator protocol
agent_TESTED = agent protocol
frameworks_TESTED = cli batch mpi sdk protocol
sim_TESTED = $(stoa-sim_ARCHIVES)
testkit_TESTED = testkit $(stoa-sim_ARCHIVES)

INTEGRATION_TESTS := $(sort $(wildcard tests/integration/*_test.sh))
SIM_TESTS := $(if $(filter tests/sim/main.cc,$(SOURCES)),$(sort $(wildcard tests/sim/*_test.sh)))
EXAMPLES := $(filter docs/examples/%,$(SOURCES))
BENCHES := $(filter tests/bench/%,$(SOURCES))
# The smallest of programs, to be the work of a benchmark: C, static.
BENCH_WORK := $(sort $(wildcard tests/bench/*.c))
BENCH_ARCHIVES = sim cli master agent batch mpi sdk allocator protocol

# ---- What is made ----------------------------------------------------------------------------------------------

objects = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))
archives = $(patsubst %,$(BUILD)/lib/%.a,$(1))

# A program whose main.cc is not there is left out.
BUILT_PROGRAMS := $(foreach p,$(PROGRAMS),$(if $(filter $($(p)_MAIN),$(SOURCES)),$(BUILD)/bin/$(p)))
BUILT_SHIM := $(if $(filter agent/shim/main.cc,$(SOURCES)),$(BUILD)/bin/stoa-shim)
BUILT_LIBRARIES := $(BUILD)/lib/libstoa.so $(BUILD)/lib/libstoa-testkit.so
# Where bin/stoa finds them, here as where it is installed.
BUILT_TEMPLATES := $(BUILD)/share/stoa/templates
BUILT_TESTS := $(UNIT_FOLDERS:%=$(BUILD)/tests/unit-%)
BUILT_EXAMPLES := $(EXAMPLES:docs/examples/%.cc=$(BUILD)/examples/%)
BUILT_BENCHES := $(BENCHES:tests/bench/%.cc=$(BUILD)/bench/%)
BUILT_BENCH_WORK := $(BENCH_WORK:tests/bench/%.c=$(BUILD)/bench/%)

# By Slurm's names `stoa` is Slurm's commands.
SLURM_NAMES := sbatch squeue scancel sinfo
BUILT_LINKS := $(SLURM_NAMES:%=$(BUILD)/bin/%)

all: $(BUILT_LINKS) $(BUILT_PROGRAMS) $(BUILT_SHIM) $(BUILT_LIBRARIES) $(BUILT_TEMPLATES) ## build programs and library (the default)
tests: all $(BUILT_TESTS) $(BUILT_EXAMPLES)
benches: all $(BUILT_BENCHES) $(BUILT_BENCH_WORK)
.PHONY: all tests benches

$(BUILT_LINKS): | $(BUILD)/bin/stoa
	$(Q)ln -sfn stoa $@

# ---- Configuration ---------------------------------------------------------------------------------------------

configure: configure.ac
	$(call say,CONF,$@)
	$(Q)command -v autoconf >/dev/null || { echo 'make: autoconf not found: run scripts/setup first' >&2; exit 1; }
	$(Q)autoconf && rm -rf autom4te.cache configure~

# Options once given to configure are kept when configure.ac changes.
config.mk: configure config.mk.in
	$(Q)mkdir -p $(BUILD) && \
	{ if [[ -x config.status ]]; then ./config.status --recheck && ./config.status; else ./configure; fi; } \
	  > $(BUILD)/configure.out 2>&1 || { tail -n 1 $(BUILD)/configure.out >&2; exit 1; }
	$(Q)touch $@

# ---- Rules -----------------------------------------------------------------------------------------------------

# remember: a recipe that writes its text to the target when it differs, so that what depends on the file is made
# again when flags or the list of a target's files change, and only then.
remember = @mkdir -p $(@D); text='$(subst ','\'',$(1))'; \
  [[ -e $@ && "$$(< $@)" == "$$text" ]] || printf '%s\n' "$$text" > $@

$(BUILD)/flags/compile: FORCE
	$(call remember,$(CXX) $(CPPFLAGS_ALL) $(WARNINGS) $(CXXFLAGS_ALL))
$(BUILD)/flags/link: FORCE
	$(call remember,$(CXX) $(LDFLAGS_ALL) $(LIBS) $(TEST_LIBS) $(BENCH_LIBS))
$(BUILD)/flags/shim: FORCE
	$(call remember,$(CXX) $(WARNINGS) $(SHIM_CXXFLAGS))
FORCE:
.PHONY: FORCE

# One call of capnp writes both files, hence the grouped target. A schema may import any other, hence SCHEMAS.
$(BUILD)/generated/%.capnp.h $(BUILD)/generated/%.capnp.c++ &: %.capnp $(SCHEMAS)
	$(call say,CAPN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CAPNP) compile -I. -oc++:$(BUILD)/generated $<
.SECONDARY: $(GENERATED) $(GENERATED:.h=.c++)

compile = $(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) -MMD -MP -MF $(@:.o=.d)
# An object is as old as the moment its compilation began: a header saved while it was being compiled is newer, and the
# object is made again, where it would otherwise pass for up to date and disagree with the others on a struct.
begin = $(Q)mkdir -p $(@D) && touch $@.begun
end = { touch -r $@.begun $@ 2>/dev/null || :; rm -f $@.begun; }

$(BUILD)/obj/%.o: %.cc $(BUILD)/flags/compile | $(GENERATED)
	$(call say,CXX,$@)
	$(begin)
	$(Q)$(compile) $(WARNINGS) -c $< -o $@ && $(end)

$(BUILD)/obj/%.capnp.o: $(BUILD)/generated/%.capnp.c++ $(BUILD)/flags/compile | $(GENERATED)
	$(call say,CXX,$@)
	$(begin)
	$(Q)$(compile) -c $< -o $@ && $(end)

$(BUILD)/obj/agent/shim/%.o: agent/shim/%.cc $(BUILD)/flags/shim
	$(call say,CXX,$@)
	$(begin)
	$(Q)$(CXX) -I. $(SHIM_CXXFLAGS) $(WARNINGS) -MMD -MP -c $< -o $@ && $(end)
$(addprefix $(BUILD)/obj/agent/shim/,entry.o init.o): private SHIM_CXXFLAGS += $(SHIM_EARLY_CXXFLAGS)

# Tests include GoogleTest and RapidCheck from one precompiled header: half of a test's compile time.
$(BUILD)/pch/tests.h.gch: $(BUILD)/flags/compile
	$(call say,PCH,$@)
	$(begin)
	$(Q)printf '#include <%s>\n' gtest/gtest.h gmock/gmock.h rapidcheck.h rapidcheck/gtest.h > $(@:.gch=)
	$(Q)$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) $(WARNINGS) -x c++-header $(@:.gch=) -o $@ && $(end)

$(BUILD)/obj/tests/unit/%.o: tests/unit/%.cc $(BUILD)/flags/compile $(BUILD)/pch/tests.h.gch | $(GENERATED)
	$(call say,CXX,$@)
	$(begin)
	$(Q)$(compile) $(WARNINGS) -include $(BUILD)/pch/tests.h -c $< -o $@ && $(end)

# Archives. Made anew each time, so that an object whose source is gone does not stay inside.
protocol_OBJECTS := $(call objects,$(protocol_SOURCES)) $(SCHEMAS:%=$(BUILD)/obj/%.o)
$(foreach a,$(filter-out protocol,$(ARCHIVES)),$(eval $(a)_OBJECTS := $$(call objects,$$($(a)_SOURCES))))
master_OBJECTS += $(BUILD)/obj/page_files.o

define archive_rule
$(BUILD)/lib/$(1).a: $$($(1)_OBJECTS) $(BUILD)/flags/$(1).objects
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$($(1)_OBJECTS)
$(BUILD)/flags/$(1).objects: FORCE
	$$(call remember,$$($(1)_OBJECTS))
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

# The operator's page: files as they are written and two libraries from npm, inside the master.
PAGE_SOURCES := $(sort $(filter-out %.json,$(shell find master/web -type f)))
$(BUILD)/page/npm/package-lock.json: master/web/package.json master/web/package-lock.json
	$(call say,NPM,$@)
	$(Q)mkdir -p $(@D) && cp $^ $(@D) && \
	  npm --prefix $(@D) ci --ignore-scripts --no-audit --no-fund --loglevel=error > $(@D).log 2>&1 || \
	  { cat $(@D).log >&2; echo 'make: the page needs two libraries from npm (or ./configure --without-page)' >&2; exit 1; }
	$(Q)touch $@
$(BUILD)/generated/page_files.cc: scripts/embed-page $(if $(PAGE),$(BUILD)/page/npm/package-lock.json $(PAGE_SOURCES)) config.mk
	$(call say,PAGE,$@)
	$(Q)mkdir -p $(@D) && rm -rf $(BUILD)/page/root && mkdir -p $(BUILD)/page/root/web
ifneq ($(PAGE),)
	$(Q)cp -r master/web/* $(BUILD)/page/root/web && cd $(BUILD)/page/root && mv web/index.html . && rm web/*.json && \
	  cp ../npm/node_modules/htm/preact/standalone.module.js web/preact.js && \
	  cp ../npm/node_modules/uplot/dist/uPlot.esm.js ../npm/node_modules/uplot/dist/uPlot.min.css web
endif
	$(Q)scripts/embed-page $(if $(PAGE),$(BUILD)/page/root,--none) > $@
$(BUILD)/obj/page_files.o: $(BUILD)/generated/page_files.cc $(BUILD)/flags/compile
	$(call say,CXX,$@)
	$(begin)
	$(Q)$(compile) $(WARNINGS) -c $< -o $@ && $(end)

# link: the target from the objects and archives among its prerequisites. A new file each time: mold writes over the old
# one, and a program that runs from it would read what is half written.
link = $(Q)mkdir -p $(@D) && rm -f $@ && $(CXX) $(LDFLAGS_ALL) $(filter %.o,$^) $(filter %.a,$^) -o $@

define program_rule
$(BUILD)/bin/$(1): $$(call objects,$$($(1)_MAIN)) $$(call archives,$$($(1)_ARCHIVES)) $(BUILD)/flags/link
	$$(call say,LD,$$@)
	$$(link) $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# The command that people wait for at every `stoa run` would spend half of its start on binding Abseil's thirty shared
# libraries: it has them inside, where the machine has them to be put inside. A plug-in brings its own (plugin.h).
INSIDE = $(sort $(filter -labsl_% -lcapnp -lkj,$(LIBS)))
ifeq (3,$(words $(filter /%,$(foreach l,absl_strings capnp kj,$(shell $(or $(CXX),c++) -print-file-name=lib$(l).a 2>/dev/null)))))
$(BUILD)/bin/stoa: private LIBS := -Wl,-Bstatic -Wl,--start-group $(INSIDE) -Wl,--end-group -Wl,-Bdynamic \
  $(filter-out $(INSIDE),$(LIBS))
endif

$(BUILD)/bin/stoa-shim: $(call objects,$(SHIM_SOURCES)) $(BUILD)/flags/shim
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -static -Wl,--gc-sections -Wl,-e,shimStart $(LINKER) $(filter %.o,$^) -o $@

# Frameworks are linked with libstoa.so, and their tests with libstoa-testkit.so, too. The number is that of the SDK's
# classes: it changes when what was built before would break.
SDK_ABI := $(shell sed -n 's/^\#define STOA_SDK_ABI //p' frameworks/sdk/plugin.h)
shared = $(Q)mkdir -p $(@D) && rm -f $@ && $(CXX) -shared -Wl,-soname,$(@F).$(SDK_ABI) -Wl,-z,defs \
  -Wl,--version-script=packaging/libstoa.map $(LDFLAGS_ALL)
named = $(Q)ln -sf $(@F) $@.$(SDK_ABI)

$(BUILD)/lib/libstoa.so: $(call archives,sdk protocol) packaging/libstoa.map $(BUILD)/flags/link
	$(call say,LD,$@)
	$(shared) -Wl,--whole-archive $(filter %.a,$^) -Wl,--no-whole-archive $(LIBS) -o $@
	$(named)

# The simulator's parts that the test kit uses come in it; the SDK and the protocol it shares with what it tests.
$(BUILD)/lib/libstoa-testkit.so: $(call archives,testkit sim master agent batch allocator) $(BUILD)/lib/libstoa.so
	$(call say,LD,$@)
	$(shared) -Wl,--whole-archive $< -Wl,--no-whole-archive $(filter-out $<,$(filter %.a,$^)) \
	  -L$(BUILD)/lib -lstoa $(LIBS) -o $@
	$(named)

$(BUILT_TEMPLATES):
	$(Q)mkdir -p $(@D) && ln -sfn $(abspath packaging/templates) $@

define unit_test_rule
$(BUILD)/tests/unit-$(1): $$(call objects,$$(filter tests/unit/$(1)/% tests/sanitizers.cc,$$(SOURCES))) \
  $$(call archives,$$($(1)_TESTED)) $(BUILD)/flags/link $(BUILD)/flags/unit-$(1).objects
	$$(call say,LD,$$@)
	$$(link) $$(TEST_LIBS) $$(LIBS)
$(BUILD)/flags/unit-$(1).objects: FORCE
	$$(call remember,$$(filter tests/unit/$(1)/%,$$(SOURCES)))
endef
$(foreach u,$(UNIT_FOLDERS),$(eval $(call unit_test_rule,$(u))))

# Examples are built as their reader would build them: against the shared library.
$(BUILD)/examples/%: $(BUILD)/obj/docs/examples/%.o $(BUILD)/lib/libstoa.so
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS_ALL) $< -L$(BUILD)/lib -lstoa -Wl,-rpath,'$$ORIGIN/../lib' $(LIBS) -o $@

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(call archives,$(BENCH_ARCHIVES)) $(BUILD)/flags/link
	$(call say,LD,$@)
	$(link) $(BENCH_LIBS) $(LIBS)

$(BUILD)/bench/%: tests/bench/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -Os -Wall -Wextra $(WERROR) -static $< -o $@

.SECONDARY: $(call objects,$(EXAMPLES) $(BENCHES))

-include $(patsubst %,$(BUILD)/obj/%.d,$(basename $(SOURCES)) $(SCHEMAS))

# ---- Tests -----------------------------------------------------------------------------------------------------

# What run-tests is given: NAME=COMMAND, quoted for the shell.
unit_tests = $(foreach u,$(UNIT_FOLDERS),'$(2)unit-$(u)=$(1)/tests/unit-$(u)')
sim_tests = $(if $(filter tests/sim/main.cc,$(SOURCES)),'$(2)sim-$(3)=$(1)/bin/stoa-sim --seeds=$(3) $(4)')
QUICK_TESTS = $(SCRIPT_TESTS) $(call unit_tests,$(BUILD)) $(call sim_tests,$(BUILD),,$(TEST_SEEDS)) \
  $(if $(filter tests/sim/main.cc,$(SOURCES)),'sim-kept=$(BUILD)/bin/stoa-sim --seeds=@tests/sim/kept_seeds')
SCRIPT_TESTS = $(foreach t,$(sort $(wildcard tests/scripts/*_test.sh)),'$(notdir $(t:.sh=))=$(t)')
# Over the whole of check's seeds, a fault or transition that was never reached is a failure.
SLOW_TESTS = $(foreach t,$(INTEGRATION_TESTS) $(SIM_TESTS),'$(notdir $(t:.sh=))=$(t)') \
  $(call sim_tests,$(BUILD),,$(CHECK_SEEDS),--coverage)
SOURCE_TESTS = 'style=scripts/check-style' 'layers=scripts/check-layers' 'format=scripts/check-format'
run_tests = BUILD=$(abspath $(BUILD)) scripts/run-tests --jobs=$(TEST_JOBS) --logs=$(BUILD)/logs

test: tests ## build, run the unit tests and 50 seeds of the simulator
	@$(run_tests) $(QUICK_TESTS)

check: ## set up, build, run every test, check style and layers: what CI runs
	@scripts/setup
	@$(MAKE) --no-print-directory tests headers
	@$(run_tests) $(SOURCE_TESTS) $(QUICK_TESTS) $(SLOW_TESTS)

# The sanitized variants keep their own folders. Threads are what ThreadSanitizer looks at, so the pure parts'
# tests are not repeated under it. Lint is a make of its own because it needs config.mk, which may not have been there
# when this one began; not by $(MAKE), whose recipes run even under make -n. It takes longer than any test may in check.
THREADED = $(filter-out allocator sim testkit,$(UNIT_FOLDERS))
check-full: ## check, with sanitizers, whole lint and more seeds: takes an hour
	@scripts/setup --full
	@$(MAKE) --no-print-directory tests headers
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined OPT='-O1 -g1' tests
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/O0 OPT=-O0 $(BUILD)/O0/bin/stoa-sim
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread OPT='-O1 -g1' \
	  $(BUILD)/tsan/bin/stoa-shim $(THREADED:%=$(BUILD)/tsan/tests/unit-%)
	@$(run_tests) --timeout=3600 $(SOURCE_TESTS) $(QUICK_TESTS) $(SLOW_TESTS) \
	  $(call unit_tests,$(BUILD)/asan,asan-) $(call sim_tests,$(BUILD)/asan,asan-,$(TEST_SEEDS)) \
	  $(foreach u,$(THREADED),'tsan-unit-$(u)=$(BUILD)/tsan/tests/unit-$(u)') \
	  $(call sim_tests,$(BUILD),,301-2000) \
	  'faults=tests/integration/faults/run.sh' \
	  'page=tests/web/page_test.sh' 'guest=env -u MAKEFLAGS scripts/guest' 'lint=env -u MAKEFLAGS make -s BUILD=$(BUILD) lint-all'
.PHONY: test check check-full

sim: $(BUILD)/bin/stoa-sim ## replay one seed: make sim SEED=1 [AGENTS= TASKS= FAULTS=]
	$(Q)$(BUILD)/bin/stoa-sim --seed=$(SEED) $(if $(AGENTS),--agents=$(AGENTS)) $(if $(TASKS),--tasks=$(TASKS)) \
	  $(if $(FAULTS),--faults=$(FAULTS))

soak: all ## a job under real faults on thirteen hosts: make soak [SEED=N] [MINUTES=20] [FAULTS='kill lose']
	@BUILD=$(abspath $(BUILD)) tests/integration/faults/run.sh '$(if $(filter command,$(origin SEED)),$(SEED))' \
	  $(or $(MINUTES),20) $(FAULTS)

bench: benches ## print the table of docs/benchmarks.md: make bench [BENCH_FLAGS='--only=batch --tasks=100']
	@BUILD=$(abspath $(BUILD)) scripts/bench $(BENCH_FLAGS)

bench-slurm: benches ## the same beside Debian's Slurm, which is installed first; its services are not started
	@scripts/setup --slurm
	@BUILD=$(abspath $(BUILD)) scripts/bench --only=slurm $(BENCH_FLAGS)

demo: ## set up, build, and watch a cluster on this machine run a real job
	@scripts/setup
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(BUILD)) scripts/demo

setup: ## install the Debian packages that are missing (asks for root's rights)
	@scripts/setup
.PHONY: sim soak bench bench-slurm demo setup

# ---- Sources in good order -------------------------------------------------------------------------------------

format: ## lay out the sources with clang-format
	$(Q)scripts/check-format --fix

lint: $(GENERATED) ## clang-tidy over what changed since BASE (default: origin's main)
	$(Q)BASE='$(BASE)' scripts/lint -- $(CPPFLAGS_ALL) -std=c++20

lint-all: $(GENERATED) ## clang-tidy over everything
	$(Q)scripts/lint --all -- $(CPPFLAGS_ALL) -std=c++20

# Each header compiles by itself, so that whoever includes it needs to know of no other.
headers: $(HEADERS:%=$(BUILD)/headers/%.ok)
$(BUILD)/headers/%.ok: % $(BUILD)/flags/compile | $(GENERATED)
	$(call say,HDR,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) $(WARNINGS) -MMD -MP -MT $@ -MF $(@:.ok=.d) \
	  -fsyntax-only -include $< -x c++ /dev/null && touch $@
-include $(HEADERS:%=$(BUILD)/headers/%.d)

check-style check-layers check-format:
	$(Q)scripts/$@
.PHONY: format lint lint-all headers check-style check-layers check-format

# ---- Installation ----------------------------------------------------------------------------------------------

INSTALLED_PROGRAMS = $(BUILT_PROGRAMS) $(BUILT_SHIM)
# What a framework, an allocator module or a framework's test includes; what these include goes with them.
PUBLIC_HEADERS := $(filter-out %/stored_state.h %/scheduler_face.h,$(filter frameworks/sdk/%,$(HEADERS))) $(filter allocator/module.h allocator/module_face.h,$(HEADERS)) \
  protocol/codec/task_body.h protocol/codec/executor_info.h
headers_to = $(DESTDIR)$(includedir)/stoa
datadir = $(prefix)/share/stoa
# Written for prefix=/usr, as Debian would have them.
UNITS := $(wildcard packaging/systemd/*.service)
unitdir = $(prefix)/lib/systemd/system

install: all ## install under DESTDIR and prefix
	$(Q)install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig $(headers_to) $(DESTDIR)$(datadir)
	$(Q)install $(INSTALLED_PROGRAMS) $(DESTDIR)$(bindir)
	$(Q)for n in $(SLURM_NAMES); do ln -sfn stoa $(DESTDIR)$(bindir)/$$n || exit; done
	$(Q)for l in $(BUILT_LIBRARIES); do n=$${l##*/}; \
	  install $$l $(DESTDIR)$(libdir)/$$n.$(VERSION) && ln -sf $$n.$(VERSION) $(DESTDIR)$(libdir)/$$n.$(SDK_ABI) && \
	  ln -sf $$n.$(SDK_ABI) $(DESTDIR)$(libdir)/$$n || exit; done
	$(Q)install -d $(DESTDIR)$(unitdir) && for u in $(UNITS); do \
	  sed 's,/usr/bin/,$(bindir)/,' $$u > $(DESTDIR)$(unitdir)/$${u##*/} || exit; done
	$(Q)set -o pipefail; $(CXX) $(CPPFLAGS_ALL) -std=c++20 -MM $(PUBLIC_HEADERS) tests/testkit/cluster.h | tr -s ' \\' '\n\n' | \
	  grep -E '^(protocol|allocator|frameworks)/' | sort -u | while read -r h; do \
	  install -D -m 644 $$h $(headers_to)/$$h || exit; done
	$(Q)install -D -m 644 tests/testkit/cluster.h $(headers_to)/testkit/cluster.h
	$(Q)cp -r --no-preserve=ownership packaging/templates $(DESTDIR)$(datadir)
	$(Q)for p in packaging/pkgconfig/*.pc.in; do n=$${p##*/}; \
	  sed 's,@prefix@,$(prefix),; s,@bindir@,$(bindir),; s,@libdir@,$(libdir),; s,@includedir@,$(includedir),; s,@abi@,$(SDK_ABI),; s,@version@,$(VERSION),g' \
	  $$p > $(DESTDIR)$(libdir)/pkgconfig/$${n%.in} || exit; done

uninstall: ## take away what install put there
	rm -f $(INSTALLED_PROGRAMS:$(BUILD)/bin/%=$(DESTDIR)$(bindir)/%) $(SLURM_NAMES:%=$(DESTDIR)$(bindir)/%)
	rm -f $(UNITS:packaging/systemd/%=$(DESTDIR)$(unitdir)/%)
	rm -f $(BUILT_LIBRARIES:$(BUILD)/lib/%=$(DESTDIR)$(libdir)/%*) $(DESTDIR)$(libdir)/pkgconfig/stoa{,-testkit}.pc
	rm -rf $(headers_to) $(DESTDIR)$(datadir)
.PHONY: install uninstall

# ---- Cleaning, help --------------------------------------------------------------------------------------------

clean: ## remove what was built
	rm -rf $(BUILD)

distclean: clean ## remove what configure wrote, too
	rm -rf configure config.mk config.log config.status autom4te.cache

help: ## this list
	@echo 'make [TARGET] [BUILD=$(BUILD)] [OPT="$(OPT)"] [SANITIZE=address,undefined] [V=1]'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r target what; do \
	  printf '  %-12s %s\n' "$$target" "$$what"; done
.PHONY: clean distclean help
