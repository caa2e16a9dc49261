module thalweg

go 1.19
