# forbid_splice.py ERRNO PROGRAM [ARGUMENT...]: runs a program for which splice(2) and sendfile(2) fail, as under
# the seccomp profiles of some container engines.
import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
BPF_LD_W_ABS, BPF_JEQ_K, BPF_RET_K = 0x20, 0x15, 0x06
NUMBERS = {"x86_64": (275, 40), "aarch64": (76, 71)}  # splice, sendfile


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def instruction(code, if_equal, if_not, value):
    return struct.pack("HBBI", code, if_equal, if_not, value)


def main():
    refused = getattr(errno, sys.argv[1])
    splice, sendfile = NUMBERS[os.uname().machine]
    code = b"".join([
        instruction(BPF_LD_W_ABS, 0, 0, 0),  # the number of the system call
        instruction(BPF_JEQ_K, 1, 0, splice),
        instruction(BPF_JEQ_K, 0, 1, sendfile),
        instruction(BPF_RET_K, 0, 0, SECCOMP_RET_ERRNO | refused),
        instruction(BPF_RET_K, 0, 0, SECCOMP_RET_ALLOW),
    ])
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if no_new_privileges or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
