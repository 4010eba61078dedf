# A stand-in for the set-up script of AWS' hardware kit: to be read by bash, in its own folder, without arguments.
[ $# = 0 ] || { echo "ERROR: Invalid option: $1"; return 1; }
export HDK_DIR=$PWD/hdk HDK_COMMON_DIR=$PWD/hdk/common HDK_SHELL_DIR=$PWD/hdk/common/shell_stable
