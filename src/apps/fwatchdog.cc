// fwatchdog: the classic watchdog, one process a request.
#include <unistd.h>

#include "watchdog/watchdog.h"

int main(int argc, char** argv) {
  return faas::watchdog::run(faas::watchdog::Program::classic, argc, argv, environ);
}
