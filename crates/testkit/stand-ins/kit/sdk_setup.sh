# A stand-in for the set-up script of AWS' kit for runs: to be read by bash, in its own folder.
export SDK_DIR=$PWD/sdk
